"""Text that the docstrings of all net classifiers share."""

from __future__ import annotations

import inspect
import re
from typing import TypeVar

T = TypeVar("T", bound=type)

PARAMETERS = """\
encoders : dict of str to encoder, or list of pairs, default=None
    Encoder of each modality, such as ``{"image": ConvEncoder(channels=(8, 16))}``;
    its parameters are then reached as ``image__channels``. Modalities that are not
    listed, and None, get one by the shape of the block: a convolutional net for
    ``(C, H, W)``, a recurrent one for ``(T, F)``, else a multilayer perceptron.
max_epochs : int, default=50
    Passes over the training rows.
lr : float, default=1e-3
    Learning rate.
batch_size : int, "auto" or None, default="auto"
    Rows in a batch. "auto" grows with the number of rows, from 8 to 128; None takes
    all rows at once.
optimizer : {"adamw", "adam", "sgd"} or callable, default="adamw"
    A callable takes parameter groups, ``lr`` and ``weight_decay``, as the classes in
    ``torch.optim`` do.
weight_decay : float, default=0.0
    Weight decay.
early_stopping : bool or "auto", default="auto"
    Hold rows out and stop when their loss no longer falls; the best weights are
    restored. "auto": from 1,000 training rows on.
validation_fraction : float in (0, 1), default=0.1
    Share of rows (of groups, where given) held out for early stopping.
n_iter_no_change : int, default=10
    Epochs without a better validation loss before training stops.
class_weight : dict, "balanced" or None, default=None
    Factors on the weights of the rows of each class.
dtype : {"float32", "float64"}, default="float32"
    Arithmetic of the net. Statistics are float64 in any case.
device : str, default="auto"
    A torch device, or "auto" for a CUDA device where there is one.
n_threads : int, default=None
    Threads of one torch operation, in ``fit`` and ``predict``. None leaves torch's
    setting. Results repeat exactly for the same number of threads.
callbacks : list of skorch callbacks, default=None
    Called during training.
warm_start : bool, default=False
    Start from the weights of the former ``fit``, with its statistics.
verbose : int, default=0
    1 shows a progress bar.
random_state : int, RandomState instance or None, default=None
    Source of every random number in ``fit``. The global generators of NumPy and
    torch are left as they are; None draws a fresh seed."""

# Of estimators that know no labels and always start anew.
UNSUPERVISED_PARAMETERS = re.sub(
    r"^(class_weight|warm_start) :.*\n(    .*\n)+", "", PARAMETERS, flags=re.MULTILINE
)

ATTRIBUTES = """\
classes_ : ndarray of shape (n_classes,)
    Class labels, sorted.
class_prior_ : ndarray of shape (n_classes,)
    Weighted share of each class; the prediction for rows without any modality.
modality_names_in_ : ndarray of str
    Names of the modalities seen in ``fit``.
modality_shapes_in_ : dict of str to tuple of int
    Shape of one row of each modality.
n_features_in_ : int
    Columns of a 2-D X, number of modalities of a MultimodalData.
feature_names_in_ : ndarray of str
    Only for data frames with string column names."""


SUBSTITUTION = """\
fusion : {"mean_logits", "sum_logits", "mean_proba"}, default="mean_logits"
    How the outputs of the heads are combined. Probabilities predict incomplete rows a
    little better and complete ones worse; the sum is the mean, sharper.
substitute : {"zero", "mean", "noise"} or dict, default="zero"
    What the net is fed in place of a missing block: zeros, the training mean, or
    normal noise with the training mean and deviation of each feature (of each channel
    of images and series). A dict has one for each modality; those not listed get
    zeros. Kept with the model and used in ``predict``, where the predictions for 16
    fixed draws of noise are averaged.
modality_dropout : float in [0, 0.5], default=%s
    In training, a share ``2 * modality_dropout`` of the complete rows lose modalities,
    with two modalities each of them with this probability. Rows in which a modality is
    missing already lose no more.
dropout_scheme : {"subset", "one"}, default="subset"
    What such a row loses: any set of modalities but all, each set as likely, or one
    modality. For two modalities they are the same; for more, nets trained with "one"
    may fail where several are missing.
head_hidden : sequence of int, default=()
    Widths of the layers between a code and its class scores; empty: a linear head.
head_dropout : float in [0, 1), default=0.0
    Share of those units dropped in training."""


def fill_doc(cls: T) -> T:
    """Replace ``%(parameters)s`` and its like in a class docstring.

    ``%(substitution)s`` describes the parameters of
    :class:`~skmissing.nn.substitution._base.SubstituteNetClassifier`.
    """
    text = inspect.cleandoc(cls.__doc__ or "")
    text = text.replace("%(parameters)s", PARAMETERS)
    text = text.replace("%(unsupervised_parameters)s", UNSUPERVISED_PARAMETERS)
    if "%(substitution)s" in text:
        default = inspect.signature(cls).parameters["modality_dropout"].default
        text = text.replace("%(substitution)s", SUBSTITUTION % default)
    cls.__doc__ = text.replace("%(attributes)s", ATTRIBUTES)
    return cls
