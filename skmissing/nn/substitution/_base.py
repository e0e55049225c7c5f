"""What the classifiers share that feed a substitute for a missing block."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

from torch import nn

from ..._estimation._rows import LabelledRows, observed_names
from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval, StrOptions
from ...modalities._multimodal_data import MultimodalData
from .._base import BaseNetClassifier
from .._encoder_bank import EncoderBank
from .._fusion import head
from .._modality_dropout import ModalityDropout
from .._training import TrainingTask
from ..encoders._encoder import check_widths
from ._substitute import SUBSTITUTES, Substitute, make_substitutes, resolve_substitutes
from ._substitute_fusion import FusionSpec, SubstituteFusion


@stores_parameters
class SubstituteNetClassifier(BaseNetClassifier):
    """One head per modality, whose outputs are fused; the net does not see the mask.

    Subclasses that train such a net from scratch define :meth:`_module`.

    Parameters
    ----------
    fusion : {"mean_logits", "sum_logits", "mean_proba"}, default="mean_logits"
        How the outputs of the heads are combined. Probabilities predict incomplete rows
        a little better and complete ones worse; the sum is the mean, sharper.
    substitute : {"zero", "mean", "noise"} or dict, default="zero"
        What the net is fed in place of a missing block: zeros, the training mean, or
        normal noise with the training mean and deviation of each feature (of each
        channel of images and series). A dict has one for each modality; those not
        listed get zeros. Zeros are those of the unit of the data, as a silent sensor
        sends them, not of the scaled inputs. Where they are far from all values (a
        sodium of 0 mmol/l) they are an extreme input, and a net that has not met them
        in training may then predict by chance whatever else the row has: choose "mean"
        for laboratory values. Kept with the model and used in ``predict``, where the
        predictions for 16 fixed draws of noise are averaged.
    modality_dropout : float in [0, 0.5], default=0.3
        In training, a share ``2 * modality_dropout`` of the complete rows lose
        modalities, with two modalities each of them with this probability. Rows in
        which a modality is missing already lose no more.
    dropout_scheme : {"subset", "one"}, default="subset"
        What such a row loses: any set of modalities but all, each set as likely, or one
        modality. For two modalities they are the same; for more, nets trained with
        "one" may fail where several are missing.
    head_hidden : sequence of int, default=()
        Widths of the layers between a code and its class scores; empty: a linear head.
    head_dropout : float in [0, 1), default=0.0
        Share of those units dropped in training.
    """

    fusion: str = "mean_logits"
    substitute: Any = "zero"
    modality_dropout: float = 0.3
    dropout_scheme: str = "subset"
    head_hidden: Sequence[int] = ()
    head_dropout: float = 0.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "fusion": [StrOptions({"mean_logits", "sum_logits", "mean_proba"})],
        "substitute": [StrOptions(set(SUBSTITUTES)), dict],
        "modality_dropout": [Interval(Real, 0, 0.5, closed="both")],
        "dropout_scheme": [StrOptions({"one", "subset"})],
        "head_hidden": ["array-like"],
        "head_dropout": [Interval(Real, 0, 1, closed="left")],
    }

    _not_of_the_net: ClassVar[tuple[str, ...]] = ("modality_dropout", "dropout_scheme")

    def _fit_rows(self, task: TrainingTask) -> None:
        # A net that goes on knows no more modalities than it did.
        names = self._fitted.used if task.warm else self._observed(task.rows.data)
        substitutes = self._make_substitutes(task)
        self._train(
            task,
            lambda bank: self._module(bank, self._spec(bank, task.rows, substitutes)),
            augment=self._augmentation(len(names)),
        )
        self._store_substitutes()

    @abstractmethod
    def _module(self, bank: EncoderBank, spec: FusionSpec) -> SubstituteFusion:
        """The net to train."""

    def _spec(
        self, bank: EncoderBank, rows: LabelledRows, substitutes: dict[str, Substitute]
    ) -> FusionSpec:
        columns = [rows.data.names.index(name) for name in bank.names]
        return FusionSpec(len(rows.classes), columns, self.fusion, substitutes)

    def _store_substitutes(self) -> None:
        module: Any = self._fitted.module
        self.substitutes_ = {n: part.values for n, part in module.substitutes.items()}

    def _observed(self, data: MultimodalData) -> list[str]:
        """Modalities that some row has."""
        if len(self.head_hidden):
            check_widths("head_hidden", self.head_hidden)
        return observed_names(data)

    def _make_substitutes(self, task: TrainingTask) -> dict[str, Substitute]:
        rows, encoders, rng, _ = task
        kinds = resolve_substitutes(self.substitute, rows.data.names)
        return make_substitutes(kinds, rows.data, rows.weight, encoders, rng)

    def _augmentation(self, n_modalities: int) -> ModalityDropout | None:
        if self.modality_dropout == 0 or n_modalities == 1:
            return None
        total = 2 * self.modality_dropout
        if self.dropout_scheme == "subset":
            return ModalityDropout(total, "subset")
        return ModalityDropout(total / n_modalities, "exclusive")

    def _heads(self, widths: Sequence[int], n_out: int) -> list[nn.Module]:
        return [head(w, self.head_hidden, self.head_dropout, n_out) for w in widths]
