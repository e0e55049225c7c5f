"""Damaged and hostile files: one error in one sentence, and never code or a hang."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import RandomizedSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import skmissing
from skmissing.baselines import FusionClassifier, PatternClassifier
from skmissing.exceptions import ModelFileError

from .._instances import NET
from ..conftest import make_blocks


def seal(content: bytes) -> bytes:
    """Bytes of a zip with the digest that a saved model ends with."""
    with io.BytesIO(content) as buffer:
        with zipfile.ZipFile(buffer, "a") as archive:
            archive.comment = b"0" * 64
        body = buffer.getvalue()[:-64]
    return body + hashlib.sha256(body).hexdigest().encode()


def pack(parts: dict[str, bytes], method=zipfile.ZIP_STORED, sizes=None) -> bytes:
    """A file of these parts, as a hostile writer makes one: header and digest right."""
    header = json.loads(parts["header.json"])
    header["sizes"] = {k: len(v) for k, v in parts.items() if k != "header.json"}
    header["sizes"].update(sizes or {})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in parts.items():
            text = json.dumps(header).encode() if name == "header.json" else content
            archive.writestr(zipfile.ZipInfo(name), text, method)
    return seal(buffer.getvalue())


def unpack(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def saved(tmp_path, model) -> dict[str, bytes]:
    skmissing.save(model, tmp_path / "model")
    return unpack(tmp_path / "model")


def attempt(tmp_path, content: bytes, **options):
    (tmp_path / "hostile").write_bytes(content)
    return skmissing.load(tmp_path / "hostile", **options)


def refuse(tmp_path, content: bytes, match: str = "^Got ") -> None:
    with pytest.raises(ModelFileError, match=match) as caught:
        attempt(tmp_path, content)
    text = str(caught.value)
    assert text.startswith("Got ")
    assert text.endswith(".")
    assert "\n" not in text


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Parts of the files of a net and of trees."""
    folder = tmp_path_factory.mktemp("files")
    X, y = make_blocks()
    net = FusionClassifier(**{**NET, "max_epochs": 2}).fit(X, y)
    trees = PatternClassifier(
        HistGradientBoostingClassifier(max_iter=3, random_state=0)
    ).fit(X, y)
    return [saved(folder, model) for model in (net, trees)], X


@pytest.mark.parametrize("seed", range(2))
def test_damaged_files(files, tmp_path, seed):
    """Bits turned, pieces lost, pieces repeated: the digest sees each of 250."""
    rng = np.random.default_rng(seed)
    content = np.frombuffer(pack(files[0][seed]), np.uint8)
    for i in range(250):
        damaged = content.copy()
        place = rng.integers(len(content), size=rng.integers(1, 4))
        if i % 3 == 0:
            damaged[place] ^= np.uint8(1) << rng.integers(8, dtype=np.uint8)
        elif i % 3 == 1:
            damaged = damaged[: place[0]]
        else:
            damaged = np.insert(damaged, place[0], damaged[place[0] :][:9])
        refuse(tmp_path, damaged.tobytes())


def _mutate(model: dict, rng: np.random.Generator) -> None:
    """Change one value somewhere in the table."""
    strange = [
        None, True, -1, 10**30, 0.5, "", "os.system", "../../etc/passwd", [], {},
        {"row": 0}, {"row": -1}, {"row": 10**9}, {"row": "a"}, {"float": "x"},
        "builtins.eval", "arrays/999.npy", [[[]]], {"row": len(model["objects"]) - 1},
    ]  # fmt: skip
    row = model["objects"][rng.integers(len(model["objects"]))]
    key = list(row)[rng.integers(len(row))]
    value = strange[rng.integers(len(strange))]
    if isinstance(row[key], list) and row[key] and rng.random() < 0.7:
        place = rng.integers(len(row[key]))
        pair = row[key][place]
        if isinstance(pair, list) and rng.random() < 0.7:
            pair[rng.integers(len(pair))] = value
        else:
            row[key][place] = value
    else:
        row[key] = value


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(4))
def test_tables_that_were_changed_on_purpose(files, tmp_path, seed):
    """500 files with a right digest: an error of one kind, or a model without code."""
    rng = np.random.default_rng(seed)
    parts = files[0][seed % 2]
    refused = 0
    for _ in range(125):
        model = json.loads(parts["model.json"])
        for _ in range(rng.integers(1, 4)):
            _mutate(model, rng)
        content = pack({**parts, "model.json": json.dumps(model).encode()})
        try:
            attempt(tmp_path, content)
        except ModelFileError:
            refused += 1
    assert refused > 60


def change(parts, find: str, replace: str) -> dict[str, bytes]:
    text = parts["model.json"].decode()
    assert find in text
    return {**parts, "model.json": text.replace(find, replace).encode()}


@pytest.mark.parametrize(
    "name",
    [
        "os.system", "posix.system", "builtins.eval", "builtins.exec", "builtins.open",
        "subprocess.Popen", "pickle.loads", "joblib.load", "numpy.load", "numpy.memmap",
        "torch.load", "sklearn.datasets.load_files", "sklearn.os.system",
        "skmissing.persistence._load.sys.modules", "importlib.import_module",
        "sklearn.utils._mocking.CheckingClassifier", "skmissing.datasets.load_heart",
        "sklearn.preprocessing._data.np.load", "numpy.lib.npyio.NpzFile", "eval", "",
        "sklearn.preprocessing._data.__builtins__", "skmissing.__main__.main", "a b.c",
        "skmissing.modalities._multimodal_data.pd", "torch.jit._script.ScriptModule",
        "torch.utils.data.dataset.Dataset", "sklearn.externals.joblib.load",
    ],
)  # fmt: skip
def test_names_that_are_refused(tmp_path, name):
    parts = saved(tmp_path, StandardScaler())
    parts = change(parts, "sklearn.preprocessing._data.StandardScaler", name)
    refuse(tmp_path, pack(parts))


@pytest.mark.parametrize("name", ["json.codecs.open", "json.decoder.re.compile"])
def test_a_trusted_package_has_no_functions_of_others(tmp_path, name):
    parts = saved(tmp_path, StandardScaler())
    parts = change(parts, "sklearn.preprocessing._data.StandardScaler", name)
    with pytest.raises(ModelFileError):
        attempt(tmp_path, pack(parts), trusted=["json.*"])


def test_no_module_of_a_file_is_imported(tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text("raise SystemError('this ran')\n")
    monkeypatch.syspath_prepend(tmp_path)
    parts = saved(tmp_path, StandardScaler())
    parts = change(parts, "sklearn.preprocessing._data", "planted")
    refuse(tmp_path, pack(parts), match="planted.StandardScaler")
    # And what is trusted is imported.
    with pytest.raises(ModelFileError, match="this ran"):
        attempt(tmp_path, pack(parts), trusted=["planted.StandardScaler"])


def test_a_pickle_is_no_model(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was read",))

    bomb = pickle.dumps(Bomb())
    refuse(tmp_path, bomb)
    refuse(tmp_path, bomb + hashlib.sha256(bomb).hexdigest().encode())
    # As an array of objects, behind a right head.
    parts = saved(tmp_path, StandardScaler().fit([[1.0], [2.0]]))
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|O", "fortran_order": False, "shape": (1,)}
    )
    array = buffer.getvalue() + bomb
    refuse(tmp_path, pack({**parts, "arrays/0.npy": array}), match="no objects")


def test_sizes_are_those_that_the_head_states(tmp_path):
    parts = saved(tmp_path, StandardScaler().fit([[1.0], [2.0]]))

    def array(shape, content, descr="<f8"):
        buffer = io.BytesIO()
        head = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(buffer, head)
        return buffer.getvalue() + content

    for shape in ((10**12,), (2,), (-1,), (2**40, 2**40), (0,)):
        refuse(tmp_path, pack({**parts, "arrays/0.npy": array(shape, bytes(8))}))
    for descr in ("|O", "|V0", "<U0", [("a", "|O")]):
        refuse(tmp_path, pack({**parts, "arrays/0.npy": array((1,), b"", descr)}))
    refuse(tmp_path, pack(parts, sizes={"arrays/0.npy": 1}), match="header lists")
    # Compressed parts could be any size once they are read.
    bomb = {**parts, "arrays/0.npy": array((10**6,), bytes(8 * 10**6))}
    refuse(tmp_path, pack(bomb, zipfile.ZIP_DEFLATED), match="compressed")


def test_parts_that_lie_over_each_other(tmp_path):
    """A directory that lists the same bytes many times, larger than the file."""
    parts = saved(tmp_path, StandardScaler().fit(np.ones((2, 2000))))
    content = pack(parts)
    end = content.rindex(b"PK\x05\x06")
    start = struct.unpack("<I", content[end + 16 : end + 20])[0]
    directory, first = content[start:end], content.index(b"arrays/0.npy", start) - 46
    entry = content[first : first + 46 + len(b"arrays/0.npy")]
    entries = b"".join(
        entry.replace(b"arrays/0.npy", f"arrays/{i}.npy".encode()) for i in range(3, 9)
    )
    n = struct.unpack("<H", content[end + 8 : end + 10])[0] + 6
    tail = bytearray(content[end:])
    tail[8:12] = struct.pack("<HH", n, n)
    tail[12:16] = struct.pack("<I", len(directory) + len(entries))
    refuse(tmp_path, seal(content[:end] + entries + bytes(tail)), match="larger than")


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "arrays/../../x.npy", "arrays/00.npy", "a.py"]
)
def test_parts_go_nowhere(tmp_path, name):
    parts = saved(tmp_path, StandardScaler())
    refuse(tmp_path, pack({**parts, name: b"x"}), match="unknown parts")
    assert {p.name for p in tmp_path.iterdir()} == {"model", "hostile"}


def test_tables_that_would_take_for_ever(tmp_path):
    """Laughs by the billion, depth, cycles and keys of one hash."""
    parts = saved(tmp_path, StandardScaler())
    header = {"header.json": parts["header.json"]}

    def table(rows, root=None):
        root = {"row": len(rows) - 1} if root is None else root
        text = json.dumps({"root": root, "objects": rows})
        return pack({**header, "model.json": text.encode()})

    rows = [{"kind": "list", "items": []}]
    for i in range(60):
        rows.append({"kind": "list", "items": [{"row": i}] * 10})
    refuse(tmp_path, table(rows), match="parts of parts")
    # As parts of keys, of names of columns and of nets, which all are walked through.
    pair = [{"kind": "tuple", "items": ["a", "b"]}]
    for i in range(60):
        pair.append({"kind": "tuple", "items": [{"row": i}, {"row": i}]})
    key = {"kind": "dict", "items": [[{"row": 60}, 1]]}
    refuse(tmp_path, table([*pair, key]), match="parts of parts")
    deep = [{"kind": "list", "items": [{"row": i + 1}]} for i in range(5000)]
    refuse(tmp_path, table([*deep, {"kind": "list", "items": []}], {"row": 0}))
    refuse(
        tmp_path, table([{"kind": "tuple", "items": [{"row": 0}]}]), "part of itself"
    )
    nested = b"[" * 10**6
    refuse(tmp_path, pack({**header, "model.json": nested}))
    keys = [[i * (2**61 - 1), 1] for i in range(100)]
    refuse(tmp_path, table([{"kind": "dict", "items": keys}]), "64 bits")
    pairs = [{"kind": "tuple", "items": [i, i]} for i in range(10_001)]
    items = [[{"row": i}, 0] for i in range(10_001)]
    refuse(tmp_path, table([*pairs, {"kind": "dict", "items": items}]), "fewer")


@pytest.mark.parametrize("name", ["rv_continuous", "norm_gen", "test", "sys", "norms"])
def test_distributions_are_those_of_scipy(tmp_path, name):
    parts = saved(tmp_path, RandomizedSearchCV(StandardScaler(), {"copy": norm(0, 1)}))
    assert attempt(tmp_path, pack(parts)).param_distributions["copy"].mean() == 0
    refuse(tmp_path, pack(change(parts, '"norm"', f'"{name}"')))
    refuse(tmp_path, pack(change(parts, "[0,1]", '["a",1]')))
    # Arrays of any size could be asked for.
    refuse(tmp_path, pack(change(parts, "[0,1]", "[[0,1],1]")))


def test_attributes_are_no_way_in(tmp_path):
    parts = saved(tmp_path, StandardScaler())
    for name in ("__class__", "__dict__", "__reduce__"):
        refuse(tmp_path, pack(change(parts, '"with_mean"', f'"{name}"')))
    vectorizer = CountVectorizer().fit(["a bee"])
    hostile = change(saved(tmp_path, vectorizer), '"content"', '"filename"')
    refuse(tmp_path, pack(hostile), match="reads files")


def renumber(parts, dtype, change) -> dict[str, bytes]:
    """Change the arrays of a type."""
    out = dict(parts)
    for name, content in parts.items():
        if name.endswith(".npy"):
            array = np.load(io.BytesIO(content), allow_pickle=False)
            if array.dtype == dtype and array.size:
                buffer = io.BytesIO()
                np.save(buffer, change(array), allow_pickle=False)
                out[name] = buffer.getvalue()
    return out


def test_nodes_lead_nowhere_but_to_leaves(tmp_path):
    """Compiled code follows these numbers wherever they lead."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.integers(2, size=60)
    tree = DecisionTreeClassifier(random_state=0).fit(X, y)
    parts = saved(tmp_path, tree)
    np.testing.assert_array_equal(attempt(tmp_path, pack(parts)).predict(X), y)
    for number in (10**6, -7):
        hostile = renumber(parts, np.int64, lambda a, n=number: np.where(a > 1, n, a))
        refuse(tmp_path, pack(hostile))
    refuse(tmp_path, pack(change(parts, '["n_features",3]', '["n_features",99]')))
    trees = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5).fit(X, y)
    parts = saved(tmp_path, trees)
    dtype = trees._predictors[0][0].nodes.dtype
    for field, number in (("left", 10**6), ("right", 0), ("feature_idx", 77)):

        def spoil(nodes, field=field, number=number):
            nodes = nodes.copy()
            nodes[field][nodes["is_leaf"] == 0] = number
            return nodes

        refuse(tmp_path, pack(renumber(parts, dtype, spoil)), match="a tree")


def test_support_vectors_and_neighbors_fit_together(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.integers(3, size=60)
    for model in (SVC(), KNeighborsClassifier(algorithm="kd_tree")):
        parts = saved(tmp_path, model.fit(X, y))
        again = attempt(tmp_path, pack(parts))
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
    parts = saved(tmp_path, SVC().fit(X, y))
    hostile = renumber(parts, np.int32, lambda a: a * 0 + 10**6)
    refuse(tmp_path, pack(hostile), match="fit together")


# -- versions --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("library", "version"),
    [("skmissing", "0.0.1"), ("skmissing", "9.1.0"), ("scikit-learn", "1.2.0"),
     ("torch", "1.13.1")],
)  # fmt: skip
def test_versions_that_do_not_read_each_other(files, tmp_path, library, version):
    parts = files[0][0]
    header = json.loads(parts["header.json"])
    if library == "scikit-learn":
        parts = saved(tmp_path, StandardScaler())
    header["versions"][library] = version
    hostile = {**parts, "header.json": json.dumps(header).encode()}
    match = f"written with {library} {version}, expected {library} .*, which is inst"
    refuse(tmp_path, pack(hostile), match=match)
    header["format_version"] = 2
    hostile = {**parts, "header.json": json.dumps(header).encode()}
    refuse(tmp_path, pack(hostile), match="format version 2, expected 1")


def test_a_net_is_read_by_another_scikit_learn(files, tmp_path):
    """It holds nothing of scikit-learn, so that only its parameters matter."""
    parts, X = files[0][0], files[1]
    header = json.loads(parts["header.json"])
    header["versions"].update({"scikit-learn": "1.2.0", "numpy": "1.26.0"})
    model = attempt(
        tmp_path, pack({**parts, "header.json": json.dumps(header).encode()})
    )
    assert model.predict(X).shape == (60,)
