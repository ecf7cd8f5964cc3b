"""The error codes of `tracrcheck`, with their texts; those of Tracr's compiler are in `compiler/tracr_bugs.py`."""

from __future__ import annotations

from edgeprune_core import error_codes as engine
from edgeprune_core.errors import ErrorTable, Message

_RENAME = "give another name"
_CALLABLE = "a {kind}'s name, or module:callable that takes {takes}"
_REPORT = "report it: this is a bug in tracrcheck, or an unsupported version of Tracr"

TOPICS: dict[str, dict[str, Message]] = {
    "Programs": {
        "TC101.name": Message("no program '{name}'", "a program's name or file"),
        "TC101.folder": Message("no program files", "at least one *.py"),
        "TC101.file": Message("no program file '{path}'", "a Python file"),
        "TC102": Message(
            "the program file cannot be imported", "a file that Python imports", "fix that line"
        ),
        "TC103": Message(
            "the file defines no program",
            "program = Program(name=..., build=..., vocab=..., max_seq_len=...)",
            "add it, or start from a file that `tracrcheck new NAME` writes",
        ),
        "TC104": Message(
            "the vocabulary of '{program}' contains a token that Tracr adds itself",
            "a vocabulary without '{bos}' and '{pad}'",
            "rename the token",
        ),
        "TC105.fields": Message(
            "the domain of '{program}' is empty", "at least one of each", "change `vocab` or `max_seq_len`"
        ),
        "TC105.predicate": Message(
            "the domain of '{program}' is empty", "at least one", "change `domain`, `vocab` or `max_seq_len`"
        ),
        "TC105.raises": Message(
            "the `domain` predicate of '{program}' raised {error}",
            "True or False for every token list",
            "fix `domain`",
        ),
        "TC106.sop": Message(
            "`build` of '{program}' does not return an SOp",
            "a tracr.rasp SOp",
            "return the program's last expression",
        ),
        "TC106.tracr": Message(
            "Tracr refuses '{program}'",
            "a program that Tracr compiles",
            "see docs/compiler-faults.md for what Tracr does not support",
        ),
        "TC107.compiled": Message(
            "Tracr compiles '{program}' wrongly: {definition}",
            do="see docs/compiler-faults.md for the classes of fault and their remedies",
        ),
        "TC107.by_hand": Message(
            "the model of '{program}' does not compute the program: {definition}",
            do="fix `by_hand` or `build`",
        ),
        "TC108.raises": Message(
            "the RASP interpreter raises on '{program}'",
            "a value, or None, at every position",
            "fix the program, or exclude the input with `domain`",
        ),
        "TC108.length": Message("the RASP interpreter gives '{program}' another length"),
        "TC109": Message(
            "two programs are named '{name}'", "one", "rename one, or give the path of the one you mean"
        ),
        "TC110.raises": Message(
            "the reference of '{program}' raises",
            "{want}, as the RASP interpreter says",
            "fix `reference`, or exclude the input with `domain`",
        ),
        "TC110.differs": Message(
            "the program '{program}' differs from its reference: {definition}",
            "{want}, as the RASP interpreter says",
            "one of the two is wrong: fix `build` or `reference`",
        ),
        "TC118.toml": Message("cannot read it", "TOML"),
        "TC118.list": Message(
            "`programs` of [tool.tracrcheck] is not a list of folders", 'programs = ["folder"]'
        ),
        "TC118.folder": Message("no folder '{path}'", "a folder of program files"),
        "TC120.refused": Message("Tracr's own assembly refuses '{program}'", "a Haiku model"),
        "TC120.weights": Message(
            "the two compile routes give '{program}' different weights", "equal tensors in float32", _REPORT
        ),
        "TC121": Message("torch and JAX differ on '{program}' after {place}", "at most {bound}", _REPORT),
        "TC122": Message(
            "the model that '{program}' makes by hand does not fit the program: {part}",
            do="fix `by_hand`, or the program's other fields",
        ),
    },
    "How a command was called": {
        "TC111": Message("no {kind} '{name}'"),
        "TC112": Message("'{program}' has no input of these lengths", "lengths within 1-{longest}"),
        "TC113.name": Message("no {kind} '{name}'", _CALLABLE),
        "TC113.import": Message(
            "the {kind} '{name}' cannot be imported", _CALLABLE, "fix the module or the name"
        ),
        "TC113.call": Message("the {kind} '{name}' cannot be called", _CALLABLE, "name a function"),
        "TC114": Message(
            "the method '{method}' returns edges that '{program}' does not have",
            "edges of `task.graph`",
            "return edges of `task.graph.edges`, or their text",
        ),
        "TC115": Message(
            "cannot write '{path}'", "a file in a folder that exists and can be written", "give another path"
        ),
        "TC116.file_name": Message(
            "'{name}' is not a valid name for a program file", "letters, digits and _, then .py", _RENAME
        ),
        "TC116.name": Message(
            "'{name}' is not a valid name for a program",
            "letters, digits and _, and not a Python keyword",
            _RENAME,
        ),
        "TC116.taken": Message(
            "there is a program named '{name}' already", "a name that no program has", _RENAME
        ),
        "TC116.same": Message("two files of one name", "two names", _RENAME),
        "TC116.there": Message("'{name}' already exists", "a new file", _RENAME),
        "TC117.no_program": Message("no program to certify", "names, or --all"),
        "TC117.names_and_all": Message("names and --all", "one of the two"),
        "TC117.write": Message("pins are written for all programs", "--all", "add --all"),
        "TC117.timeout": Message("no time limit", "seconds, up to {longest}"),
        "TC117.memory": Message("no limit on memory", "a whole number of MiB"),
        "TC117.threshold": Message("no threshold", "a number"),
        "TC117.slower": Message("no factor", "a number of at least 1"),
        "TC117.campaign": Message(
            "an option for a campaign together with one for a single program",
            "one or the other",
            "leave {options} out",
        ),
        "TC117.seeded": Message(
            "an option for seeded faults, but none is seeded", "one or the other", "leave {options} out"
        ),
        "TC117.allow_known": Message("nothing is known", "--baseline FILE"),
        "TC117.lengths": Message("no range of lengths", "A-B with 1 <= A <= B, such as 2-3"),
        "TC117.picture": Message("one picture shows one ablation", "one"),
        "TC117.jobs": Message(
            "local processes and a cluster's workers",
            "one of the two",
            "leave --jobs out: a cluster runs one job per thread of its workers",
        ),
        "TC117.profile": Message("no profile '{name}'"),
        "TC117.test_profile": Message("no profile '{name}' of tests"),
        "TC117.wider": Message(
            "the profile '{name}' does not include this", do="narrow the profile, or leave --profile out"
        ),
        "TC117.suffix": Message("a file name of the wrong kind", "a name that ends in {suffixes}"),
        "TC117.same_file": Message("two files of one name", "a file each"),
        "TC117.resume": Message("nothing to resume from", "{option} FILE, as given when the run was started"),
        "TC117.baseline": Message(
            "only results of the gate can be a baseline", "a file of `tracrcheck gate --json`"
        ),
        "TC117.no_method": Message("no method to compare", "one or more names"),
        "TC117.two_metrics": Message("two metrics with the name '{name}'", "one metric per name"),
        "TC117.twice": Message("a method named twice", "each once"),
        "TC117.by_suite": Message(
            "these faults were checked by the tests of a checkout",
            do="in a checkout: python -m ci.faults.suite recheck FILE",
        ),
        "TC117.ablation": Message("no ablation '{name}' of prompts"),
        "TC117.dtype": Message("no dtype '{name}' to train in"),
        "TC119": Message(
            "not a pins file",
            "JSON of schema {schema}",
            "write one: tracrcheck certify --all --write FILE",
        ),
        "TC123": Message("no picture of kind '{kind}'", ".svg, .html or .dot"),
        "TC198": Message(
            "the command line cannot be loaded",
            "every package that tracrcheck needs",
            "tracrcheck doctor says what is missing",
        ),
        "TC199": Message(
            "a bug in tracrcheck",
            "no such thing",
            "report it, with the traceback that TRACRCHECK_DEBUG=1 shows",
        ),
        "TC201": Message(
            "the permitted edges of '{task}' are not faithful together",
            "at most {limit}",
            "report this: an edge outside `permitted` carries something",
        ),
    },
    "Circuits made elsewhere": {
        "TC131.none": Message(
            "no format recognises the file",
            "a circuit of one of: {formats}",
            "name it by --format; docs/importers.md shows each",
        ),
        "TC131.several": Message(
            "several formats recognise the file",
            "a circuit of one of: {formats}",
            "name it by --format; docs/importers.md shows each",
        ),
        "TC131.file": Message(
            "cannot read a circuit from '{path}'", "a file that exists and can be read", "give its path"
        ),
        "TC131.json": Message(
            "cannot read a circuit from '{path}'",
            "JSON: pickles are not read",
            "write it as JSON where it was made; docs/importers.md says how",
        ),
        "TC132": Message("not a circuit in the format '{format}'"),
        "TC133.nodes": Message(
            "the circuit has nodes that the model's graph does not have",
            "those of {layers} layers x {heads} heads",
            "name the program that the circuit was found in",
        ),
        "TC133.edges": Message(
            "the circuit has edges that the model's graph does not have",
            "edges of {layers} layers x {heads} heads",
        ),
        "TC133.graph": Message(
            "the circuit is of another graph than the model's",
            do="name the program, or the model, that the circuit was found in",
        ),
        "TC134": Message(
            "q, k and v cannot be merged for heads that share keys and values",
            "as many of each, or a circuit with separate q, k and v",
        ),
        "TC135.edges": Message(
            "the file ({format}) lists the edges of a circuit",
            "none: the file says already which edges are kept",
            "leave --threshold out",
        ),
        "TC135.scores": Message(
            "the file ({format}) holds scores, and no circuit",
            "a number: edges are kept from this score upwards",
            "give --threshold",
        ),
        "TC136": Message("no format '{name}'"),
    },
    "Files of results": {
        "TC140": Message(
            "an unfinished run is there",
            "no such file, or --resume",
            "add --resume to continue it, or delete the file to start over",
        ),
        "TC141": Message(
            "the unfinished run there is a different one",
            "the same sources, method, settings and programs",
            "repeat the command that started it, or delete the file to start over",
        ),
        "TC142": Message(
            "another run is writing its results there",
            "one run at a time",
            "wait for it to end, or give another path",
        ),
        "TC143": Message(
            "not a results file of {kind}",
            "JSON of schema {schema}, as docs/json.md says",
            "write it with `tracrcheck {command} --json FILE`",
        ),
        "TC144.settings": Message(
            "the baseline has another method or other settings",
            "results of the same --method, --criterion, --lengths and --score-bos",
            "compare with results of the same kind",
        ),
        "TC144.verdicts": Message(
            "the baseline has none of this run's verdicts",
            "some of the same programs, ablations and seeds",
            "compare with results of the same kind",
        ),
        "TC145": Message(
            "not the results of an unfinished run",
            "JSON lines of schema {schema}",
            "delete it, or give another path",
        ),
        "TC146": Message(
            "the results there belong to another run",
            "the same method, settings and programs, or a path where there is nothing",
            "give another path; without --resume the file is replaced",
        ),
        "TC173": Message(
            "no `distributed`, which --cluster needs",
            "the package, here and on every worker",
            "pip install 'tracrcheck[cluster]'",
        ),
        "TC174": Message(
            "no Dask scheduler answers",
            "one within {seconds} s",
            "start one with `dask scheduler`, and give the address that it prints",
        ),
        "TC175": Message(
            "the cluster has no workers",
            "at least one",
            "start some with `dask worker ADDRESS`; with --json, continue with --resume",
        ),
        "TC176": Message(
            "a worker differs from what this run is made of",
            "the same sources, programs, methods and versions as here",
            "update or stop that worker; see docs/sweeps.md",
        ),
        "TC177": Message(
            "the Dask scheduler is gone",
            "one that stays until the run is over",
            "restart it; with --json, continue with --resume",
        ),
    },
    "Drawn programs, invariants and seeded faults": {
        "TC130": Message("a malformed recipe", do="fix the recipe"),
        "TC152": Message(
            "a malformed replay file", do="fix the file, or save it again with `tracrcheck fuzz --save`"
        ),
        "TC153": Message("the program of this draw is rejected", "a draw that is accepted"),
        "TC155": Message("no invariant '{name}'", "an invariant"),
        "TC156": Message("no seeded fault '{name}'", "one of the table: tracrcheck mutants --list"),
        "TC157": Message(
            "a check fails without any fault", "every check green on the unchanged code", "fix that first"
        ),
        "TC158": Message(
            "not a table of seeded faults",
            "[NAME] for each fault, with file, old, new and why; source and blind where they are not the default",
            "see docs/extend/fault.md",
        ),
    },
    "Planted circuits": {
        "TC160.stream": Message(
            "the stream of '{program}' is empty somewhere after its embeddings",
            "a length, in proportion to which distractors write",
        ),
        "TC160.size": Message("{name} is too small for the program", "at least {least}", "give more"),
        "TC160.kind": Message(
            "the model of '{program}' is not of the kind that Tracr compiles",
            "learned positions, a key for every query, no norm, no gates, sequential blocks, "
            "no attention bias in a layer without heads",
        ),
        "TC160.heads": Message(
            "too few heads to hide one among distractors",
            "at least 2: half of the heads beside the program's are distractors",
            "give more --heads",
        ),
        "TC160.layers": Message(
            "too few layers for the program",
            "at least {least}: its layers stay in order, and at least half of the heads beside its own are distractors",
            "give more --layers",
        ),
        "TC161": Message("slots that do not fit", "a slot for each component of the program, in its order"),
        "TC162": Message(
            "{quantity} is too large in the planted '{program}'",
            "at most {most}",
            "report this, with the command",
        ),
        "TC163": Message(
            "the truth of the planted '{program}' is not the program's ({ablation})",
            do="report this, with the command",
        ),
    },
    "Trained models": {
        "TC171": Message(
            "no task '{name}'", "a task's name, or a file of pairs, one per line (docs/json.md)"
        ),
        "TC172.single": Message(
            "a task with a single pair leaves none to evaluate a circuit on", "2 or more different pairs"
        ),
        "TC172.tokenizer": Message(
            "the model's tokenizer does not fit the prompts of '{task}'",
            "a task in the model's own words",
            "name another task or another model",
        ),
        "TC181.seq": Message("prompts longer than the model's context", "at most {n_ctx}"),
        "TC181.gpus": Message("fewer prompts than GPUs that share them", "at least one prompt per GPU"),
        "TC182": Message(
            "a method that cannot be shared by several processes",
            "edge_pruning, or module:NAME of an EdgePruning with settings of its own",
            "leave --distributed out, or name that method",
        ),
        "TC184": Message(
            "cannot read a circuit from '{path}'", "a circuit.json, as `tracrcheck discover --out` writes it"
        ),
        "TC185": Message(
            "faithfulness needs the tasks of both circuits",
            "--task-a and --task-b; without them only edges are compared, and no model is needed",
        ),
        "TC187": Message("the method gave no circuit to compare", "a Discovery, a Circuit or edges"),
    },
}

TABLE = ErrorTable({**engine.TOPICS, **TOPICS})
user_error, unknown_name = TABLE.error, TABLE.unknown
