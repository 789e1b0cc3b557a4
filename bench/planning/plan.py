"""The plan: which cells a request means, which of them are done already and why, and what stands in
the way of others.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contracts.dataset import Dataset
from bench.contracts.detector import Detector
from bench.contracts.executor import Executor
from bench.contracts.method import Frames, Method
from bench.contracts.network_method import NetworkMethod
from bench.contracts.observer import Observer
from bench.engine.machine import choose_device, cores, git_state
from bench.errors import DataError, RequestError, RunError
from bench.evaluation.published_numbers import published_of
from bench.files.checksums import digest_of_value
from bench.frames.fingerprint import dataset_fingerprint
from bench.frames.folders import note_of
from bench.objects.tracking import named_by_detector, tracks_key
from bench.planning.cell_files import file_keys
from bench.planning.request import Request, data_roots
from bench.plugins.profiles import PROFILES
from bench.plugins.registry import Registry
from bench.plugins.selection import Selected, select, select_one
from bench.plugins.syntax import nearest, parse
from bench.runs.folder import Run
from bench.runs.layout import CELLS
from bench.runs.records import CellRecord

if TYPE_CHECKING:
    from bench.planning.memory_estimate import MemoryEstimate

MEMORY_A_WORKER = 4 * 2**30
"""Bytes that `--workers auto` leaves for each worker. Chosen here: C3DSU in profile `small` peaks
at about 3 GB."""

THREADS_AWAY = 4
"""CPU threads of a cell on another machine. Chosen here: its cores are not known, and clusters
commonly have that many for each GPU."""


COPIED_ON_REUSE = (
    "label", "selector", "family", "citation", "bibtex", "year", "detector", "ablation", "deviations", "published", "normalises_clips",
)  # fmt: skip
"""The fields of a reused cell that are updated from the current request and method: descriptions,
nothing that its key depends on."""


@dataclass
class PlannedDataset:
    """A dataset of the request."""

    selected: Selected
    name: str
    """Its files are datasets/NAME.* in the run."""
    dataset: Dataset | None
    missing: str
    """Why it is not there; empty where it is."""
    fingerprint: str
    detector: str
    """Selector of the detector for methods that need tracks."""
    profile: str
    test_formats: set[Frames] = field(default_factory=set)
    train_formats: set[Frames] = field(default_factory=set)
    wants_tracks: bool = False
    wants_record: bool = False


@dataclass(eq=False)  # looked for among ten thousand others, by identity
class PlannedCell:
    """A cell of the request: its record as it stands, and what is to be done."""

    record: CellRecord
    dataset: PlannedDataset
    network: bool
    reuse: bool
    why: str
    """Why it is reused, run again, or cannot run."""
    fresh: bool = False
    """What an earlier attempt left behind must not be used: it belongs to another key."""
    mine: bool = True
    """Whether it is in the shard of this runner."""
    lacking: list[str] = field(default_factory=list)
    """What the request wants kept, and this reused cell has not."""
    memory: MemoryEstimate | None = None
    """Of a network that has to be run, where it was estimated."""

    @property
    def may_be_large(self) -> bool:
        """Whether a look at its memory before the run is worth the seconds: a network, not in
        profile smoke as that is.
        """
        return self.network and (
            self.record.profile != "smoke" or bool(self.record.parameters_changed)
        )


@dataclass
class Plan:
    """Everything that is decided before the first cell starts."""

    request: Request
    device: str
    workers: int
    threads: int
    profiles: tuple[str, ...]
    protocol: Selected
    executor: Executor
    observers: list[Observer]
    roots: list[Path]
    run: Run
    resumed: bool
    datasets: list[PlannedDataset]
    cells: list[PlannedCell]
    notes: list[str]
    """What the user should know before it starts."""

    @property
    def to_run(self) -> list[PlannedCell]:
        """The cells that have to be run."""
        return [
            cell
            for cell in self.cells
            if cell.mine
            and not cell.reuse
            and cell.record.status not in ("no data", "published only")
        ]

    def signature(self) -> dict[str, Any]:
        """Return what makes two requests equal."""
        return signature(self.request, self.profiles, self.device)


def signature(request: Request, profiles: Sequence[str], device: str) -> dict[str, Any]:
    """Return what makes two requests equal, for resuming: everything that decides cells or
    tables.
    """
    return {
        "methods": request.methods,
        "datasets": request.datasets,
        "seeds": list(request.seeds),
        "protocol": request.protocol,
        "profiles": list(profiles),
        "detector": request.detector or "",
        "device": device,
        "plugins": [str(file.resolve()) for file in request.plugins],
        "keep": sorted(request.keep),
        **({"accumulate": request.accumulate} if request.accumulate > 1 else {}),
        **({"precision": request.precision} if request.precision != "fp32" else {}),
        **({"compile": True} if request.compile else {}),
    }


def make_plan(request: Request, registry: Registry, find_run: Any) -> Plan:
    """Decide everything before the first cell starts.

    `find_run(signature)` gives the run folder, and whether it is a run that is gone on with.

    Raises
    ------
    RequestError : with every mistake of the request.
    """
    mistakes = request.mistakes()

    def gather(action: Any) -> Any:
        try:
            return action()
        except RequestError as error:
            mistakes.extend(error.mistakes)
            return None

    executor: Executor | None = gather(lambda: _executor(request, registry))
    observers = gather(lambda: _observers(request, registry))
    away = executor is not None and executor.away
    if (
        executor is not None and executor.away
    ):  # the devices of other machines cannot be looked at from here
        device = request.device or ("cuda" if executor.gpus else "cpu")
    else:
        device = gather(lambda: choose_device(request.device)) or "cpu"
    if request.profile is not None and request.profile not in PROFILES:
        near = nearest(request.profile, PROFILES)
        mistakes.append(
            f"no profile {request.profile!r}"
            + (f" - did you mean {near!r}?" if near else "")
            + f" (there are {', '.join(PROFILES)})"
        )
    if (request.precision != "fp32" or request.compile) and not away:
        from bench.engine.precision import missing  # imports torch

        mistakes += missing(device, request.precision, request.compile)
    roots = gather(lambda: data_roots(request.data)) or []
    notes: list[str] = []
    chosen_datasets: list[Selected] = (
        gather(lambda: _each_once(select("datasets", request.datasets, registry), notes)) or []
    )
    protocol = gather(lambda: select_one("protocols", request.protocol, registry))
    if request.detector:
        gather(lambda: select_one("detectors", request.detector, registry))
    forced = (
        gather(lambda: {chosen.text for chosen in select("methods", request.force, registry)})
        if request.force
        else set()
    )
    general = (
        request.profile
        if request.profile in PROFILES
        else ("small" if device == "cpu" else "paper")
    )
    chosen_methods: dict[str, list[Selected]] = {}
    for profile in dict.fromkeys(
        [general, *filter(None, (chosen.target.default_profile for chosen in chosen_datasets))]
    ):
        if profile != general and request.profile:
            continue
        found = gather(
            lambda profile=profile: _each_once(
                select("methods", request.methods, registry, profile), notes
            )
        )
        if found is None:
            break
        chosen_methods[profile] = found
        if request.force and forced:
            anew = {
                _identity(chosen) for chosen in select("methods", request.force, registry, profile)
            }
            forced |= {chosen.text for chosen in found if _identity(chosen) in anew}
    datasets = []
    if not mistakes:
        for chosen in chosen_datasets:
            datasets.append(_plan_dataset(chosen, request, registry, roots, general, mistakes))
    if mistakes or executor is None or observers is None:
        raise RequestError(*dict.fromkeys(mistakes))

    profiles = tuple(dict.fromkeys(planned.profile for planned in datasets))
    run, resumed = find_run(signature(request, profiles, device))
    workers, threads = _divide(request, device, executor)
    plan = Plan(
        request,
        device,
        workers,
        threads,
        profiles,
        protocol,
        executor,
        observers,
        roots,
        run,
        resumed,
        datasets,
        [],
        notes,
    )
    earlier: dict[str, CellRecord] = {}
    if run.exists:
        try:
            earlier = {cell.folder: cell for cell in run.cells()}
        except RunError as error:
            earlier = {cell.folder: cell for cell in run.cells_left()}
            plan.notes.append(
                f"{error}; it is written anew, and {len(earlier)} cells are taken from their own files"
            )
    twins = {
        (cell.dataset_folder, digest_of_value(cell.key)): cell
        for cell in reversed(earlier.values())
        if cell.status == "done"
    }
    for planned in datasets:
        for chosen in chosen_methods[planned.profile]:
            cells = _plan_cells(
                chosen,
                planned,
                request,
                registry,
                device,
                threads,
                earlier,
                twins,
                forced or set(),
                run,
            )
            plan.cells += cells
            if cells and cells[0].record.selector != chosen.text:
                notes.append(
                    f"{chosen.label} on {planned.selected.label} is {cells[0].record.label}, which is done: it is not computed again"
                )
    if request.shard:
        number, shards = (int(part) for part in request.shard.split("/"))
        for place, cell in enumerate(plan.cells):
            cell.mine = place % shards == number - 1
    if any(cell.may_be_large for cell in plan.to_run):
        from bench.planning.memory_estimate import estimate_cells, refuse_too_large  # imports torch

        if executor.away:  # whose memory is not this machine's
            estimate_cells([cell for cell in plan.to_run if cell.may_be_large], plan, registry)
        elif too_large := refuse_too_large(plan, registry):
            raise RequestError(*dict.fromkeys(too_large))
    _take_notes(plan, general)
    return plan


def _executor(request: Request, registry: Registry) -> Executor:
    executor: Executor = select_one("executors", request.executor, registry).make()
    executor.check()
    if request.detach and not executor.lasts:
        raise RequestError(
            f"--detach: cells of --executor {request.executor} end with this command; those of slurm[...] and dask[address=...] go on"
        )
    return executor


def _observers(request: Request, registry: Registry) -> list[Observer]:
    observers: list[Observer] = (
        [chosen.make() for chosen in select("observers", request.observe, registry)]
        if request.observe
        else []
    )
    for observer in observers:
        observer.check()
    return observers


def _plan_dataset(
    chosen: Selected,
    request: Request,
    registry: Registry,
    roots: list[Path],
    general: str,
    mistakes: list[str],
) -> PlannedDataset:
    dataset: Dataset = chosen.make()
    missing, fingerprint = "", ""
    try:
        dataset.locate(roots)
        fingerprint = dataset_fingerprint(dataset)
    except DataError as error:
        missing = str(error)
        if _named_singly(chosen, request.datasets):
            mistakes.append(missing)
    name = _folder_name(chosen)
    detector = request.detector or dataset.default_detector or _usual_detector(registry, dataset)
    profile = request.profile or dataset.default_profile or general
    return PlannedDataset(
        chosen, name, None if missing else dataset, missing, fingerprint, detector, profile
    )


def _each_once(rows: list[Selected], notes: list[str]) -> list[Selected]:
    """Return the rows that differ in more than their selectors: `x` and `x[parameter=its default]`
    are one, under the shorter of the two.
    """
    kept: dict[str, Selected] = {}
    for row in rows:
        other = kept.setdefault(_identity(row), row)
        if other is not row:
            first, second = sorted((other, row), key=lambda one: len(one.values))
            kept[_identity(row)] = first
            note = f"{second.label} is {first.label}: its parameters are the same, and both are one row"
            notes += [note] if note not in notes else []
    return list(kept.values())


def _identity(row: Selected) -> str:
    """Return what two selectors of one thing have in common: name, parameters and profile."""
    return digest_of_value([row.name, _plain(row.parameters), row.profile])


def _named_singly(chosen: Selected, text: str) -> bool:
    """Whether the user typed this dataset itself, not a group that it belongs to."""
    return chosen.name in {item.name for item in parse(text)}


def _usual_detector(registry: Registry, dataset: Dataset) -> str:
    """Return 'fasterrcnn' where its weights are found, else 'motion'."""
    try:
        registry.detectors["fasterrcnn"]().check(dataset.name)
    except (DataError, KeyError):
        return "motion"
    return "fasterrcnn"


def _folder_name(chosen: Selected) -> str:
    """Return the name, with 8 hex digits of the parameters where the user gave some."""
    if not chosen.values:
        return chosen.name
    return f"{chosen.name}-{hashlib.sha256(chosen.text.encode()).hexdigest()[:8]}"


def _divide(request: Request, device: str, executor: Executor) -> tuple[int, int]:
    """Return the number of workers and the CPU threads of each."""
    import psutil

    if executor.away:
        return 1, request.threads or executor.threads or THREADS_AWAY
    if request.workers is not None:
        workers = request.workers
    elif device.startswith("cuda"):
        workers = 1
    else:
        workers = max(1, min(cores(), psutil.virtual_memory().available // MEMORY_A_WORKER))
    return workers, request.threads or max(1, cores() // workers)


def _plan_cells(
    chosen: Selected,
    planned: PlannedDataset,
    request: Request,
    registry: Registry,
    device: str,
    threads: int,
    earlier: dict[str, CellRecord],
    twins: dict[tuple[str, str], CellRecord],
    forced: set[str],
    run: Run,
) -> list[PlannedCell]:
    method: Method = chosen.make()
    dataset = planned.dataset
    is_network = isinstance(method, NetworkMethod)
    reason = planned.missing
    if dataset is not None:
        reason = next(
            filter(
                None,
                (
                    dataset.lacks(need)
                    for need in ("lengths", *sorted(method.needs & {"frames", "train"}))
                ),
            ),
            "",
        )
    data_here = not reason
    files, absent = file_keys(method, planned.selected.name, registry)
    if not reason and absent:
        reason = f"{chosen.label}: {'; '.join(absent)}"
    if not reason and dataset is not None:
        try:
            method.check(dataset.name)
        except DataError as error:
            reason = str(error)
    if not reason and isinstance(method, NetworkMethod):
        reason = _cannot_compute(method, chosen.label, request)
        if reason and _named_singly(chosen, request.methods):
            raise RequestError(reason)
    needs_tracks = "tracks" in method.needs
    detector_label, tracks = "", ""
    if dataset is not None and not reason and not method.published_only:
        planned.wants_record = True
        if needs_tracks:
            detector: Detector = select_one("detectors", planned.detector, registry).make()
            try:
                detector.check(dataset.name)
                if lacking := named_by_detector(dataset, detector)[1]:
                    raise DataError(f"detector {planned.detector}: {'; '.join(lacking)}")
                detector_label, tracks = planned.detector, tracks_key(dataset, detector)
            except DataError as error:
                raise RequestError(str(error)) from error
            planned.wants_tracks = True
        if method.frames is not None:
            if "frames" in method.needs:
                planned.test_formats.add(method.frames)
            scores_train = "frames" in method.needs and (
                "train-scores" in request.keep or ("regions" in request.keep and is_network)
            )
            if "train" in method.needs or (scores_train and not dataset.lacks("train")):
                planned.train_formats.add(method.frames)
    scenes = (dataset.model_scenes() if dataset is not None else ()) or ("",)
    seeds = request.seeds if method.uses_seed else request.seeds[:1]
    source = _source_hash(type(method))
    plugin = registry.source("methods", chosen.name)
    # What of a key cannot be told where something is not here.
    known_here = (
        ("dataset", data_here),
        ("tracks", tracks),
        ("weights", "weights" in files),
        ("files", not absent),
    )
    unknown = {name for name, known in known_here if not known}
    released = getattr(method, "weights_file", None)
    accumulate = (
        request.accumulate if is_network and released is None and "train" in method.needs else 1
    )
    bf16_version = (
        method.bf16_version
        if isinstance(method, NetworkMethod) and request.precision == "bf16"
        else 1
    )
    cells = []
    for seed in seeds:
        for scene in scenes:
            folder = Path(
                CELLS, _folder_name(chosen), planned.name, str(seed), *([scene] if scene else [])
            )
            record = CellRecord(
                folder=folder.as_posix(),
                method=chosen.name,
                label=chosen.label,
                selector=chosen.text,
                dataset=planned.selected.label,
                dataset_folder=planned.name,
                seed=seed,
                scene=scene,
                family=method.info.family,
                citation=method.info.citation,
                year=method.info.year,
                profile=chosen.profile or planned.profile,
                detector=detector_label,
                data_share=_data_share(dataset, method),
                device=device,
                threads=threads,
                needs=sorted(method.needs),
                uses_seed=method.uses_seed,
                parameters=_plain(method.parameters),
                parameters_changed=_plain(chosen.values),
                key={
                    "method": chosen.name,
                    "version": method.version,
                    "parameters": _plain(method.parameters),
                    "seed": seed,
                    "scene": scene,
                    "dataset": planned.fingerprint,
                    "tracks": tracks,
                    "plugin": plugin,
                    **files,
                    **({"accumulate": accumulate} if accumulate > 1 else {}),
                    **(
                        {"precision": request.precision}
                        if is_network and request.precision != "fp32"
                        else {}
                    ),
                    **({"bf16_version": bf16_version} if bf16_version > 1 else {}),
                    **({"compile": True} if is_network and request.compile else {}),
                },
                source_sha256=source,
                git=git_state(),
                deviations=[*method.deviations, *_deviations_of(request, accumulate, is_network)],
                bibtex=method.info.bibtex,
                ablation=list(method.info.ablation or ()),
                published=_published(method, planned.selected.name),
                normalises_clips=method.normalises_clips,
            )
            twin = twins.get((record.dataset_folder, digest_of_value(record.key)))
            if (
                twin is not None and twin.method == record.method and record.folder not in earlier
            ):  # the same cell under another selector
                record.folder, record.label, record.selector = (
                    twin.folder,
                    twin.label,
                    twin.selector,
                )
                record.parameters_changed = twin.parameters_changed
            if method.published_only:
                record.status, record.reason = "published only", method.published_only
                cells.append(PlannedCell(record, planned, False, False, method.published_only))
                continue
            cells.append(
                _compare(
                    record,
                    reason,
                    unknown,
                    earlier.get(record.folder),
                    planned,
                    is_network,
                    chosen.text in forced,
                    run,
                    request.keep,
                )
            )
    return cells


def _deviations_of(request: Request, parts: int, network: bool) -> list[str]:
    """Return what options of the request make of a cell: footnotes of its row."""
    found = []
    if parts > 1:
        found.append(
            f"--accumulate {parts}: each batch is trained in {parts} parts: statistics, ratios and updates of a memory that a batch has "
            "are those of a part"
        )
    if network and request.precision == "bf16":
        found.append(
            "--precision bf16: the network computes in bfloat16, weights stay in fp32; published numbers are of fp32"
        )
    if network and request.compile:
        found.append(
            "--compile: the network is compiled by torch, so that sums are rounded in another order"
        )
    return found


def _cannot_compute(method: NetworkMethod, label: str, request: Request) -> str:
    """Return why a network cannot compute as it was asked to; empty where it can."""
    if request.precision == "bf16" and method.refuses_bf16:
        return f"{label}: --precision bf16 is not for it: {method.refuses_bf16}; run it with --precision fp32"
    if request.compile and not method.compiled:
        return f"{label}: --compile is not for it: its network names no function to compile; leave --compile out"
    return ""


def _data_share(dataset: Dataset | None, method: Method) -> float:
    """Return the share of the dataset that the row stands on: of its frames, or of its test clips
    where no frame is needed.
    """
    if dataset is None:
        return 1.0
    if method.needs & {"frames", "train"}:
        return round(dataset.share(), 6)
    expected = dataset.expected.get("test", {})
    here = {clip.id for clip in dataset.clips("test")} & set(expected)
    return round(len(here) / len(expected), 6) if expected else 1.0


def _compare(
    record: CellRecord,
    reason: str,
    unknown: set[str],
    before: CellRecord | None,
    planned: PlannedDataset,
    network: bool,
    forced: bool,
    run: Run,
    keep: Sequence[str],
) -> PlannedCell:
    """Decide whether an earlier outcome of the cell stands."""
    if reason:
        if before is not None:
            record.attempts = before.attempts
            different = [
                name for name in _differences(before.key, record.key) if name not in unknown
            ]
            if (
                before.status == "done"
                and not different
                and before.detector in ("", planned.detector)
            ):
                return PlannedCell(before, planned, network, True, f"done before; {reason}")
        record.status, record.reason = "no data", reason
        return PlannedCell(record, planned, network, False, reason)
    if before is None or before.status == "queued":
        return PlannedCell(record, planned, network, False, "new")
    different = _differences(before.key, record.key)
    record.attempts = before.attempts
    if forced:
        why = "forced"
    elif different:
        why = "run again: " + ", ".join(
            _another(name, record.key, before.key) for name in different
        )
    elif before.status != "done":
        record.seconds = before.seconds
        return PlannedCell(record, planned, network, False, f"goes on: {before.status} before")
    elif problem := _scores_problem(run, before):
        why = f"run again: its scores.npz is {problem}"
    else:
        why = "done before, same key"
        if before.source_sha256 != record.source_sha256:
            why += (
                " (its source has changed since; raise `version` if the scores change, or --force)"
            )
        lacking = run.lacking(before, keep)
        if lacking:
            why += f"; it kept no {', no '.join(lacking)}: --force makes them"
        for name in COPIED_ON_REUSE:
            setattr(before, name, getattr(record, name))
        return PlannedCell(before, planned, network, True, why, lacking=lacking)
    return PlannedCell(record, planned, network, False, why, fresh=True)


def _another(name: str, key: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """Return in a few words what of a key is not as it was."""
    if name == "plugin":
        return "another source of its plugin, or of what that imports"
    if name != "files":
        return f"another {name}"
    now, then = key.get(name, {}), before.get(name, {})
    return f"another content of {' and '.join(one for one in {**now, **then} if now.get(one) != then.get(one))}"


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the parts in which two keys differ.

    A parameter that is None does what was done before there was such a parameter, so that cells of
    earlier versions keep their worth.
    """

    def part(key: dict[str, Any], name: str) -> Any:
        value = key.get(name)
        return (
            {entry: one for entry, one in value.items() if one is not None}
            if isinstance(value, dict)
            else value
        )

    return [name for name in {**now, **before} if part(before, name) != part(now, name)]


def _scores_problem(run: Run, cell: CellRecord) -> str:
    """Return 'gone' or 'damaged' where the scores of a finished cell cannot be read; empty where
    they can.
    """
    if not run.files_of(cell).scores.is_file():
        return "gone"
    try:
        run.scores(cell)
    except RunError:
        return "damaged"
    return ""


def _published(method: Method, dataset: str) -> dict[str, str]:
    for number in published_of(method.name, method.info):
        if number.dataset == dataset:
            return {"auc": number.auc, "source": number.source}
    return {}


def _plain(value: Any) -> Any:
    """Return parameters as JSON can hold them."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(item) for key, item in asdict(value).items()}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str | type(None)) else str(value)


def _source_hash(method: type[Method]) -> str:
    """Return the SHA-256 of the file that defines the method; empty where there is none."""
    try:
        return hashlib.sha256(Path(inspect.getfile(method)).read_bytes()).hexdigest()
    except (OSError, TypeError):
        return ""


def _take_notes(plan: Plan, general: str) -> None:
    if plan.request.profile is None and general == "small" and "small" in plan.profiles:
        plan.notes.append(
            "no GPU here: profile 'small' (at most 30 minutes a cell on two cores). The published settings are --profile paper: "
            "on a CPU that is days for a network, so use a GPU, or insist with --profile paper"
        )
    lacking = [cell for cell in plan.cells if cell.lacking]
    for kinds in dict.fromkeys(tuple(cell.lacking) for cell in lacking):
        labels = ",".join(
            dict.fromkeys(cell.record.selector for cell in lacking if tuple(cell.lacking) == kinds)
        )
        plan.notes.append(
            f"finished cells are used again as they are, without {' and '.join(kinds)}; --force '{labels}' repeats them"
        )
    for planned in plan.datasets:
        fell_back = (
            planned.wants_tracks and planned.detector == "motion" and not plan.request.detector
        )
        if (
            fell_back
            and planned.dataset is not None
            and planned.dataset.default_detector != "motion"
        ):
            plan.notes.append(
                f"{planned.selected.label}: objects come from the detector 'motion', since no weights of fasterrcnn were found; "
                "published numbers use a trained detector (bench list detectors)"
            )
    for planned in plan.datasets:
        if planned.dataset is not None and (
            passed := note_of(planned.dataset.passed_over(), planned.dataset.root)
        ):
            plan.notes.append(f"{planned.selected.label}: {passed}")
        share = 1.0 if planned.dataset is None else planned.dataset.share()
        if planned.dataset is not None and 0 < share < 1:
            plan.notes.append(
                f"{planned.selected.label}: {share:.0%} of its frames are here (bench verify {planned.selected.name}); the rows are marked"
            )
