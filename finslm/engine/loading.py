"""Everything that is made once from the model folder. The engine imports it on its worker thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast, final

from finslm.config import EngineSettings
from finslm.engine.adapters import AdapterCard, encode, shortened, weights_sha256
from finslm.engine.blocks import BlockPool
from finslm.engine.grammar import Grammars, token_table
from finslm.engine.placeholders import Placeholders
from finslm.engine.prompts import PromptEncoder
from finslm.engine.runner import Runner
from finslm.engine.states import MAX_TOKENS
from finslm.engine.tagging import ReadToTag, in_windows
from finslm.engine.two_bases import Encoder, TwoBases
from finslm.errors import ConfigError, InvalidRequest
from redaction.importing import HEAVY
from redaction.text import RedactedText

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

NVIDIA: Final = Path("/dev/nvidiactl")
"""There where the driver of a GPU is loaded."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running engine is made of.

    ``window`` is the limit of prompt and answer together, tokens. ``encode_to_classify``, ``grammars``
    and ``placeholders`` may be used by one thread at a time each. ``encode_to_read`` is None where no encoder reads.
    """

    encoder: PromptEncoder
    encode_to_classify: Callable[[AdapterCard, RedactedText], list[int]]
    read_to_tag: Callable[[AdapterCard, RedactedText], ReadToTag]
    encode_to_read: Callable[[RedactedText], list[int]] | None
    runner: Runner
    pool: BlockPool
    window: int
    grammars: Grammars
    placeholders: Placeholders


def load_parts(
    model_dir: Path,
    adapters: Iterable[Path],
    settings: EngineSettings,
    threads: int,
    encoder_dir: Path | None = None,
) -> Parts:
    """Load the model folder. With torch, sets the process's number of torch threads.

    Args:
        adapters: those that will come first, to make ready what they need.
        encoder_dir: model folder of the second base, which is loaded for the first adapter on it; None: there is none.

    Raises:
        ConfigError: a folder cannot be used, or a setting does not fit.
    """
    cards = [AdapterCard.read(folder) for folder in adapters]
    own = weights_sha256(model_dir)
    with ThreadPoolExecutor(1, thread_name_prefix="finslm-tokenizer") as beside:
        loading = beside.submit(_load_tokenizer, model_dir)
        on_decoder = [card for card in cards if card.base_weights_sha256 == own]
        runner = load_runner(model_dir, on_decoder, settings, threads, lambda: _pad_id(loading.result()))
        tokenizer = loading.result()
    readers, to_read = {own: _TextReader(tokenizer)}, None
    if encoder_dir is not None:
        readers[weights_sha256(encoder_dir)] = _TextReader(_load_tokenizer(encoder_dir))
        bases = TwoBases(runner, encoder_dir, lambda folder: load_encoder(folder, settings, threads))
        runner = bases
        if settings.ranker:
            most = min(MAX_TOKENS, bases.open_reader())
            to_read = partial(readers[weights_sha256(encoder_dir)].to_read, most=most)
    encoder = PromptEncoder(tokenizer)
    window = min(settings.max_context_tokens, runner.max_positions)
    pool = _pool(runner, settings, window)
    runner.reserve(pool.count)
    shared = token_table(tokenizer.backend_tokenizer.to_str(), runner.vocabulary, encoder.control_ids)
    return Parts(
        encoder=encoder,
        encode_to_classify=lambda card, text: readers[card.base_weights_sha256](card, text),
        read_to_tag=lambda card, text: readers[card.base_weights_sha256].to_tag(card, text),
        encode_to_read=to_read,
        runner=runner,
        pool=pool,
        window=window,
        grammars=Grammars(shared),
        placeholders=Placeholders(shared, tokenizer.get_vocab(), runner.vocabulary),
    )


def load_runner(
    model_dir: Path,
    adapters: Sequence[AdapterCard],
    settings: EngineSettings,
    threads: int,
    pad_id: Callable[[], int],
) -> Runner:
    """What computes, by ``settings.runner`` and ``settings.weights``.

    Args:
        pad_id: asked for where the runner needs it.

    Raises:
        ConfigError: a folder cannot be used, or the runner does not compute in these weights.
    """
    on_torch = _on_torch(settings)
    if on_torch:
        with HEAVY:
            from finslm.engine.torch_runner import load_torch_runner

        return load_torch_runner(model_dir, settings.weights, threads, pad_id())
    from finslm.engine.ov_runner import OpenVinoRunner

    return OpenVinoRunner(
        model_dir,
        threads=threads,
        quantised=settings.weights != "float32",
        writes=any(not card.labels for card in adapters),
        classifies=any(card.labels for card in adapters),
    )


def load_encoder(folder: Path, settings: EngineSettings, threads: int) -> Encoder:
    """What computes the second base, by the same settings as the first.

    Raises:
        ConfigError: the folder cannot be used, or the runner does not compute in these weights.
    """
    if _on_torch(settings):
        with HEAVY:
            from finslm.engine.torch_encoder import TorchEncoder

        return TorchEncoder(folder, _pad_id(_load_tokenizer(folder)))
    from finslm.engine.ov_encoder import OpenVinoEncoder

    return OpenVinoEncoder(folder, threads=threads, quantised=settings.weights != "float32")


def _on_torch(settings: EngineSettings) -> bool:
    on_torch = settings.runner == "torch" or (settings.runner == "auto" and NVIDIA.exists())
    known = ("auto", "bfloat16", "float32") if on_torch else ("auto", "int8", "float32")
    if settings.weights not in known:
        raise ConfigError(
            f"engine.weights {settings.weights}: {'torch' if on_torch else 'openvino'} computes {', '.join(known[1:])}"
        )
    return on_torch


def _pool(runner: Runner, settings: EngineSettings, window: int) -> BlockPool:
    """As many blocks as fit the memory; never more than a full batch of the longest requests can hold."""
    most = settings.max_batch * -(-window // runner.block_tokens) * 2
    blocks = min(most, settings.cache_mib * 2**20 // runner.block_bytes)
    if blocks * runner.block_tokens < window:
        raise ConfigError(
            f"engine.cache_mib {settings.cache_mib} holds {blocks * runner.block_tokens} tokens, less than one "
            f"request of {window} (engine.max_context_tokens): allow more memory or fewer tokens"
        )
    return BlockPool(blocks, runner.block_tokens)


def _load_tokenizer(model_dir: Path) -> PreTrainedTokenizerFast:
    with HEAVY:
        from transformers import PreTrainedTokenizerFast  # seconds, which go by beside the weights'

    try:
        tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(
            str(model_dir), local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise ConfigError(f"model folder {model_dir}: no usable tokenizer: run 'finslm models pull' first") from error
    if tokenizer.eos_token_id is None and tokenizer.sep_token_id is None:
        raise ConfigError(f"model folder {model_dir}: a tokenizer.json with an end token is needed")
    return tokenizer


def _pad_id(tokenizer: PreTrainedTokenizerFast) -> int:
    return cast(int, tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)


_CHARS_A_TOKEN: Final = 32
"""A text whose beginning is read is cut here before it is read: tokens have some five characters."""


@final
class _TextReader:
    """Tokenises a text to classify as training did; only the marks around it may be control tokens."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        # What the vocabulary lacks is no way to pose as anything.
        self._control = special - ({tokenizer.unk_token_id} - {tokenizer.eos_token_id})
        self._before = int(tokenizer.cls_token_id is not None and tokenizer.sep_token_id is not None)

    def __call__(self, card: AdapterCard, text: RedactedText) -> list[int]:
        """Token ids.

        Raises:
            InvalidRequest: the text gave a control token.
        """
        return self._checked(shortened(encode(self._tokenizer, text.value), card))

    def to_read(self, text: RedactedText, most: int) -> list[int]:
        """Token ids of the beginning of a text.

        Args:
            most: so many at most.

        Raises:
            InvalidRequest: the text gave a control token.
        """
        return self._checked(encode(self._tokenizer, text.value[: most * _CHARS_A_TOKEN])[:most])

    def _checked(self, ids: list[int]) -> list[int]:
        if not self._control.isdisjoint(ids[self._before : -1]):
            raise InvalidRequest("the text holds characters that the tokenizer reads as control tokens: remove them")
        return ids

    def to_tag(self, card: AdapterCard, text: RedactedText) -> ReadToTag:
        """A text to tag, in windows. A unit is letters, digits or one mark, of which no control token is made."""
        return in_windows(self._tokenizer, text.value, card)
