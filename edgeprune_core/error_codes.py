"""The error codes of `edgeprune_core`, with their texts."""

from __future__ import annotations

from edgeprune_core.errors import ErrorTable, Message

TOPICS: dict[str, dict[str, Message]] = {
    "Graphs, circuits and models": {
        "EP101.size": Message("ModelSpec.{name} is not a size", "1 or more"),
        "EP101.kv_heads": Message("ModelSpec.n_kv_heads does not divide n_heads", "a divisor"),
        "EP101.rotary": Message("rotary positions need an even d_head", "even"),
        "EP102.surplus": Message("unknown fields in a model spec"),
        "EP102.missing": Message("a model spec lacks fields"),
        "EP111": Message("no {kind} '{name}' in this graph", "a {kind}"),
        "EP112": Message("not an edge", "'writer -> reader', such as 'tok -> a0.h0.v'"),
        "EP113": Message(
            "'{edge}' is not an edge of this graph", "a writer that writes before the reader reads"
        ),
        "EP121.circuit": Message("two circuits of different graphs"),
        "EP121.task": Message("a circuit of another graph"),
        "EP122.schema": Message("not a circuit file"),
        "EP122.part": Message("a circuit file lacks a part", "graph and edges"),
        "EP122.graph": Message("a circuit file describes no graph"),
        "EP122.edges": Message("the edges of a circuit file are no list of texts"),
        "EP131.model": Message("a model lacks tensors"),
        "EP131.file": Message("a model file lacks tensors"),
        "EP132.model": Message("a model has tensors that its spec does not use"),
        "EP132.file": Message("a model file has unknown tensors"),
        "EP133": Message("tensor '{name}' has another shape"),
        "EP134": Message("a model mixes dtypes", "one"),
        "EP135": Message("tensor '{name}' is not finite", "finite numbers"),
        "EP136.unreadable": Message("cannot read a model file", "safetensors"),
        "EP136.format": Message("not a model file of ours"),
        "EP141": Message("a mask of another graph"),
        "EP151": Message("no mean for this length"),
        "EP152": Message("no ablation '{name}' of prompts"),
        "EP161": Message("a pair of unequal lengths", "clean and corrupted of one length"),
    },
    "Models of `transformers`": {
        "EP171": Message(
            "no table for this architecture",
            do="add edgeprune_core/families/{file}.py with its table, and a row in edgeprune_core/families/__init__.py",
        ),
        "EP172.missing": Message("the configuration lacks '{name}'", "{name}"),
        "EP172.size": Message("'{name}' of the configuration is not a size", "1 or more"),
        "EP172.number": Message("'{name}' of the configuration is not a number", "0 or more"),
        "EP172.option": Message("the option '{name}' is not computed here", "{name} = {computed}"),
        "EP172.activation": Message("no activation '{name}' here"),
        "EP172.heads": Message("n_head does not divide n_embd", "a divisor"),
        "EP172.rotary": Message("this scaling of rotary positions is not computed here", "default or linear"),
        "EP173": Message("a checkpoint lacks tensors"),
        "EP174": Message(
            "a checkpoint has tensors that a '{kind}' language model of this configuration does not have"
        ),
        "EP175": Message("tensor '{name}' has another shape"),
        "EP176": Message("tensor '{name}' is not finite", "finite numbers"),
        "EP177.weights": Message("no safetensors in this folder"),
        "EP177.model": Message(
            "not a model of `transformers`",
            "a hub name, a local folder, or an object with `config` and `state_dict()`",
        ),
        "EP177.index": Message("not an index of tensors", "weight_map: name -> file"),
        "EP177.object": Message("not an object", "an object"),
        "EP177.part": Message(
            "cannot read a part of a model",
            "{config} and safetensors, whole, as `save_pretrained` writes them",
        ),
        "EP177.gguf": Message("cannot read this GGUF file", "a whole GGUF file of a supported family"),
        "EP178.gguf": Message(
            "a GGUF file needs packages that are not installed",
            "transformers, gguf and accelerate",
            "pip install 'tracrcheck[gguf]'",
        ),
        "EP178.package": Message(
            "'{name}' is no local folder, and the hub needs a package that is not installed",
            "huggingface-hub",
            "pip install 'tracrcheck[models]', or give a local folder",
        ),
        "EP178.missing": Message(
            "the hub has no model '{name}' for you",
            "a repository's name, or a local folder",
            "check the name; a gated model needs `hf auth login`",
        ),
        "EP178.connection": Message(
            "cannot reach the hub for '{name}'",
            "a connection, or a local folder",
            "where there is one, run `hf download {name} --local-dir DIR`, and give the folder DIR instead",
        ),
        "EP179.shape": Message("a configuration of another shape"),
        "EP179.zeros": Message("a '{kind}' of this configuration has no place for some tensors", "zeros"),
        "EP179.tied": Message(
            "the unembedding is not the token embedding, though the configuration ties them",
            "equal tensors, or tie_word_embeddings = false",
        ),
        "EP196": Message("no shape of '{name}' here"),
    },
    "Prompts and tokenizers": {
        "EP180": Message("a task without pairs", "one or more"),
        "EP181.file": Message("cannot read a task file", "a file of pairs, one a line"),
        "EP181.json": Message("not a line of JSON", "an object with clean, corrupted and answer"),
        "EP181.object": Message("not an object", "an object"),
        "EP181.field": Message("'{field}' is missing or no text"),
        "EP182": Message("out of vocabulary: {piece!r}"),
        "EP183.empty": Message("a prompt without tokens", "1 or more"),
        "EP183.length": Message("clean and corrupted prompts differ in length", "as many tokens"),
        "EP184.tokens": Message(
            "{answer!r} does not continue the prompt as one token",
            do="begin an answer with a space where the prompt ends in a word",
        ),
        "EP184.foil": Message("an answer that is a foil too", "one or the other"),
        "EP185": Message(
            "a corrupted prompt that leaves the answer unchanged",
            "a prompt after which something else, or nothing, is right",
        ),
        "EP187.length": Message("a prompt longer than the model's context", "at most {n_ctx}"),
        "EP187.token": Message(
            "a token that the model does not know", "below {n}: the model's own tokenizer"
        ),
        "EP188.unreadable": Message("cannot read a tokenizer"),
        "EP188.file": Message("not a tokenizer file"),
        "EP188.name": Message("no vocabulary '{name}'", "one of ours"),
        "EP189.package": Message(
            "the model's tokenizer needs a package that is not installed",
            "transformers",
            "pip install 'tracrcheck[models]'",
        ),
        "EP189.files": Message(
            "no tokenizer of this model can be read",
            do="copy tokenizer.json of the same model into the folder",
        ),
        "EP195": Message(
            "faithfulness of numerical outputs", "a task whose outputs are scores of values or tokens"
        ),
        "EP197.raised": Message("the metric '{name}' raises an error", "a number per circuit and item"),
        "EP197.shape": Message("the metric '{name}' does not give a number per circuit and item"),
    },
    "Checkpoints and processes": {
        "EP201": Message(
            "a method without a state to resume from",
            "a method with begin(task), such as edge_pruning",
            "leave the checkpoint out",
        ),
        "EP202": Message(
            "an unfinished run is there",
            "no such file, or --resume",
            "add --resume to continue it, or delete the file to start over",
        ),
        "EP203": Message(
            "the checkpoint there is another run's",
            "the same model, task, method, settings, seed and versions",
            "repeat the command that started it, or delete the file to start over",
        ),
        "EP204": Message(
            "not a complete checkpoint",
            "a file of schema {schema}, as it was written",
            "delete it to start over, or give another path",
        ),
        "EP205": Message(
            "a checkpoint cannot be written",
            "a file in a folder that exists and can be written",
            "make room or give another path; the last checkpoint written is complete, and --resume continues from it",
        ),
        "EP206": Message(
            "the gates cannot start from a method that returns no scores",
            "a method that ranks the edges, such as eap_ig",
            "name another method to start from",
        ),
        "EP211": Message(
            "this process was not started as one of several",
            "torchrun",
            "torchrun --nproc-per-node 2 -m tracrcheck.cli discover --distributed ...",
        ),
        "EP212": Message(
            "another process of this run is gone",
            "all processes until the end",
            "look for its own error, above or in its log; with --checkpoint, "
            "the same command with --resume continues from the last one",
        ),
    },
}

TABLE = ErrorTable(TOPICS)
user_error, unknown_name = TABLE.error, TABLE.unknown
