"""
Odd ways to store a dataset in an HDF5 file.

Each way writes a dataset and returns the array that it holds, and what may be made of it.
"""

import zlib
from enum import IntEnum
from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, Tuple

import h5py
import numpy

__all__ = ["FILE_TWISTS", "TWISTS", "Twist", "rounded"]

Array = numpy.ndarray


class Twist(IntEnum):
    """The fates of a dataset, from harmless to worst."""

    HONEST = 0
    """Its numbers may be read."""
    NO_NUMBERS = 1
    """It has no float numbers, so it must be refused."""
    FOREIGN = 2
    """Its numbers lie in another file, so it must be refused."""


Way = Callable[[Random, h5py.File, str, Array, Path], Tuple[Twist, Array]]

FLOATS = ("<f2", ">f2", ">f4", "<f8", ">f8", "<f4")
OTHER_TYPES = ("i1", "u1", "i4", "u8", ">i8", "bool", "c8", "c16", "S4", "V4")
ROUNDED_DIGITS = 3
FILTERS = (
    {"compression": "gzip"},
    {"compression": "gzip", "compression_opts": 9, "shuffle": True},
    {"compression": "lzf"},
    {"fletcher32": True},
    {"shuffle": True, "fletcher32": True},
    {"scaleoffset": ROUNDED_DIGITS},
)
COMPRESSED_ZEROS = zlib.compress(bytes(10**7))
NOT_FINITE = (numpy.nan, numpy.inf, -numpy.inf)


def rounded(path: Path, arrays: Dict[str, Array]) -> Dict[str, Array]:
    """
    Returns arrays as a lossy filter of a file leaves them.

    # Parameters

    path : `Path`
        Path of the file, which holds a dataset of each name.
    arrays : `Dict[str, numpy.ndarray]`
        Arrays before they were written.

    # Returns

    `Dict[str, numpy.ndarray]`
        Arrays as they are read back, if they were written with such a filter.
    """
    result = dict(arrays)
    with h5py.File(path, "r") as file:
        for name in arrays:
            if file[name].scaleoffset is not None:
                result[name] = file[name][()]
    return result


def _float_type(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    stored = array.astype(random.choice(FLOATS))
    if stored.dtype.itemsize == 8 and random.random() < 0.2:
        stored[...] = random.choice((1e39, -1e300, 1e-300))
    file.create_dataset(name, data=stored)
    return Twist.HONEST, stored


def _other_type(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    file.create_dataset(name, shape=array.shape, dtype=random.choice(OTHER_TYPES), fillvalue=None)
    if random.random() < 0.7 and file[name].dtype.kind in "iubc":
        file[name][...] = array.astype(file[name].dtype)
    return Twist.NO_NUMBERS, array


def _made_type(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    """Stores a compound, an array, an enumeration, text, a reference or a long double."""
    dtype: Any = random.choice(
        (
            numpy.dtype([("real", "f4"), ("other", "S3")]),
            numpy.dtype(("f4", (2,))),
            h5py.enum_dtype({"a": 1, "b": 2}, "i4"),
            h5py.string_dtype(),
            h5py.vlen_dtype(numpy.dtype("f4")),
            h5py.ref_dtype,
            numpy.dtype("longdouble"),
        )
    )
    file.create_dataset(name, shape=array.shape, dtype=dtype)
    return Twist.NO_NUMBERS, array


def _odd_float(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    """Stores floats with another exponent bias, another precision or another place of the sign."""
    kind = h5py.h5t.IEEE_F32LE.copy()
    way = random.randrange(3)
    if way == 0:
        kind.set_ebias(random.choice((1, 126, 130, 255)))
    elif way == 1:
        kind.set_fields(31, 23, 8, 3, 20)
    else:
        kind.set_fields(23, 24, 8, 0, 23)
    space = h5py.h5s.create_simple(array.shape)
    link = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    link.set_create_intermediate_group(1)
    dataset = h5py.Dataset(h5py.h5d.create(file.id, name.encode(), kind, space, lcpl=link))
    dataset[...] = array
    return Twist.HONEST, dataset[()]


def _shape(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    """Makes a dataset of another shape, or of the same if it is square, without numbers."""
    shape = random.choice(
        (
            array.shape[::-1],
            (*array.shape, 1),
            (array.size,),
            (),
            (0, *array.shape[1:]),
            (array.shape[0] + 1, *array.shape[1:]),
            (2**40, *array.shape[1:]),
            (1,) * 32,
        )
    )
    file.create_dataset(
        name, shape=shape, dtype="f4", chunks=True if shape[:1] == (2**40,) else None
    )
    return Twist.NO_NUMBERS, array


def _null(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    file[name] = h5py.Empty("f4")
    return Twist.NO_NUMBERS, array


def _not_finite(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    stored = array.copy()
    stored.reshape(-1)[random.randrange(array.size)] = random.choice(NOT_FINITE)
    file.create_dataset(name, data=stored)
    return Twist.HONEST, stored


def _filtered(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    chunks = tuple(random.randint(1, size) for size in array.shape)
    file.create_dataset(name, data=array, chunks=chunks, **random.choice(FILTERS))
    return Twist.HONEST, array


def _unwritten(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    """Leaves a dataset without data, or without its last chunk."""
    way = random.randrange(3)
    if way == 0:
        file.create_dataset(name, shape=array.shape, dtype="f4")
    elif way == 1:
        file.create_dataset(name, shape=array.shape, dtype="f4", chunks=True, fillvalue=0.5)
    else:
        chunks = (1, *array.shape[1:])
        file.create_dataset(name, shape=array.shape, dtype="f4", chunks=chunks)
        file[name][:-1] = array[:-1]
    return Twist.NO_NUMBERS, array


def _huge_chunk(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    """Stores a chunk that is far larger than the dataset, compressed to little."""
    size = random.choice((10**4, 10**6, 3 * 10**7, 3 * 10**8, 10**9))
    chunks = (max(1, size // max(1, array.size // array.shape[0])), *array.shape[1:])
    dataset = file.create_dataset(
        name,
        shape=array.shape,
        maxshape=(None, *array.shape[1:]),
        chunks=chunks,
        dtype="f4",
        compression=random.choice(("gzip", "gzip", None)),
    )
    content = array.tobytes()
    if dataset.compression:
        content = zlib.compress(content + bytes(10**5))
    dataset.id.write_direct_chunk((0,) * array.ndim, content)
    # The chunk is shorter than it claims to be.
    return Twist.HONEST, array


def _damaged_chunk(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    dataset = file.create_dataset(
        name, shape=array.shape, chunks=array.shape, dtype="f4", compression="gzip", fletcher32=True
    )
    content = random.choice((b"\x00", b"\x00" * 10, COMPRESSED_ZEROS, b"\xff" * 999))
    dataset.id.write_direct_chunk((0,) * array.ndim, content)
    return Twist.NO_NUMBERS, array


def _unknown_filter(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(array.shape)
    number = random.choice((257, 32001, 32004, 32015, 65535))
    properties.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (1, 2, 3))
    link = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    link.set_create_intermediate_group(1)
    space = h5py.h5s.create_simple(array.shape)
    kind = h5py.h5t.IEEE_F32LE
    created = h5py.h5d.create(file.id, name.encode(), kind, space, dcpl=properties, lcpl=link)
    dataset = h5py.Dataset(created)
    dataset.id.write_direct_chunk((0,) * array.ndim, array.tobytes(), random.choice((0, 1)))
    return Twist.HONEST, array


def _external_storage(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    path = random.choice((str(secret), secret.name, "missing.raw"))
    file.create_dataset(
        name, shape=array.shape, dtype="f4", external=[(path, random.choice((0, 8)), array.nbytes)]
    )
    return Twist.FOREIGN, array


def _virtual(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    """Makes a virtual dataset from another file, from this one, or from a file that is missing."""
    layout = h5py.VirtualLayout(shape=array.shape, dtype="f4")
    way = random.randrange(3)
    source = ".", _elsewhere(name)
    if way == 0:
        file[source[1]] = array
        twist = Twist.HONEST
    elif way == 1:
        source = str(Path(file.filename).with_name(_elsewhere(name) + ".hdf5")), "data"
        with h5py.File(source[0], "w") as other:
            other["data"] = array
        twist = Twist.FOREIGN
    else:
        source = "missing.hdf5", "data"
        twist = Twist.FOREIGN
    layout[...] = h5py.VirtualSource(*source, shape=array.shape)
    file.create_virtual_dataset(name, layout, fillvalue=random.choice((None, 0.5)))
    return twist, array


def _linked(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    """Puts a link in the dataset's place: hard, soft, dangling, circular, or to another file."""
    way = random.randrange(5)
    if way == 0:
        file[_elsewhere(name)] = array
        file[name] = file[_elsewhere(name)]
        return Twist.HONEST, array
    if way == 1:
        file[_elsewhere(name)] = array
        file[name] = h5py.SoftLink("/" + _elsewhere(name))
        return Twist.HONEST, array
    if way == 2:
        file[name] = h5py.SoftLink(random.choice(("/" + name, "/nothing", "")) or "/")
        return Twist.NO_NUMBERS, array
    if way == 3:
        file[name] = file["/"]
        return Twist.NO_NUMBERS, array
    other_path = Path(file.filename).with_name(_elsewhere(name) + ".hdf5")
    with h5py.File(other_path, "w") as other:
        other["data"] = array
    file[name] = h5py.ExternalLink(random.choice((str(other_path), "missing.hdf5")), "/data")
    return Twist.FOREIGN, array


def _elsewhere(name: str) -> str:
    return name.replace("/", " ") + " elsewhere"


def _group(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    group = file.create_group(name)
    if random.random() < 0.5:
        group["inner"] = array
    return Twist.NO_NUMBERS, array


def _named_type(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    file[name] = numpy.dtype("f4")
    return Twist.NO_NUMBERS, array


def _missing(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    return Twist.NO_NUMBERS, array


def _renamed(
    random: Random, file: h5py.File, name: str, array: Array, secret: Path
) -> Tuple[Twist, Array]:
    other = random.choice((name.swapcase(), name + "\u2028", name + "0", name + "x" * 60_000))
    file[other] = array
    return Twist.NO_NUMBERS, array


TWISTS: Tuple[Way, ...] = (
    _float_type, _other_type, _made_type, _odd_float, _shape, _null, _not_finite, _filtered,
    _unwritten, _huge_chunk, _damaged_chunk, _unknown_filter, _external_storage, _virtual, _linked,
    _group, _named_type, _missing, _renamed,
)  # fmt: skip
"""Ways to store one dataset."""


def _many_datasets(random: Random, file: h5py.File) -> None:
    for index in range(random.choice((10, 1000))):
        file.create_dataset(random.choice(("{}", "CNN/{}", "a/b/{}")).format(index), data=1.0)


def _deep_groups(random: Random, file: h5py.File) -> None:
    group = file
    for _ in range(random.choice((10, 300, 1500))):
        group = group.create_group("g")
    group["end"] = 1.0


def _cycle(random: Random, file: h5py.File) -> None:
    group = file.create_group("cycle/inner")
    group["outer"] = random.choice((file["/"], file["cycle"]))


def _attributes(random: Random, file: h5py.File) -> None:
    holder = random.choice((file, *file.values()))
    for index in range(random.choice((1, 500))):
        holder.attrs[f"note {index}"] = "x" * random.choice(
            (10, 10_000, 60_000) if index == 0 else (5,)
        )


def _odd_names(random: Random, file: h5py.File) -> None:
    for name in (b"\xff\xfe", "caf\u00e9\u2028".encode(), b"x" * 60_000, b" "):
        file[name] = 1.0


def _strange_extra(random: Random, file: h5py.File) -> None:
    """Adds an item that belongs to no biLM, of a kind that is refused in the place of a weight."""
    array = numpy.ones((3, 2), "float32")
    random.choice(TWISTS)(random, file, "extra/dataset", array, Path(file.filename))


FILE_TWISTS: Tuple[Callable[[Random, h5py.File], None], ...] = (
    _many_datasets, _deep_groups, _cycle, _attributes, _odd_names, _strange_extra, _strange_extra,
)  # fmt: skip
"""Ways to add something to a whole file."""
