"""Sizes of networks to train from scratch, from one million parameters to three hundred.

All are of the Llama kind (Touvron et al. 2023, arXiv:2302.13971): root mean square norms before each block (Zhang &
Sennrich 2019, arXiv:1910.07467), rotary positions (Su et al. 2021, arXiv:2104.09864), a gated feed-forward net with
SiLU (Shazeer 2020, arXiv:2002.05202), queries that share keys in groups (Ainslie et al. 2023, arXiv:2305.13245), and
one matrix for reading and writing tokens (Press & Wolf 2017, arXiv:1608.05859).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, final

from finslm.errors import ConfigError

if TYPE_CHECKING:
    from transformers import LlamaConfig

END_TOKEN: Final = "<|endoftext|>"  # noqa: S105 - a control token, not a secret
"""Stands between documents; token 0 of every vocabulary that is trained here."""


@final
class Preset(NamedTuple):
    """Sizes of one network, and the learning rate that suits it."""

    hidden: int
    inner: int
    layers: int
    heads: int
    groups: int
    """Heads of keys and values; each serves ``heads / groups`` heads of queries."""
    vocabulary: int
    """Tokens, when a recipe does not say another number. The small nets have a small one: its matrix would
    otherwise be most of their parameters."""
    learning_rate: float
    """Peak, when a recipe does not say another one; smaller for wider nets (Kaplan et al. 2020, arXiv:2001.08361)."""

    def parameters(self, vocabulary: int | None = None) -> int:
        """Number of trained numbers, the shared matrix of tokens counted once."""
        head = self.hidden // self.heads
        attention = 2 * self.hidden * self.hidden + 2 * self.hidden * self.groups * head
        layer = attention + 3 * self.hidden * self.inner + 2 * self.hidden
        return (vocabulary or self.vocabulary) * self.hidden + self.layers * layer + self.hidden

    def config(self, vocabulary: int, positions: int) -> LlamaConfig:
        """The network's ``config.json``.

        Args:
            vocabulary: tokens.
            positions: the longest text it is trained on, tokens.
        """
        from transformers import LlamaConfig

        return LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.inner,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.groups,
            max_position_embeddings=positions,
            rms_norm_eps=1e-5,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=0,
            pad_token_id=0,
        )


PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        "1m": Preset(128, 320, 3, 4, 2, 4096, 4e-3),
        "3m": Preset(192, 512, 6, 6, 2, 4096, 3e-3),
        "10m": Preset(320, 864, 8, 10, 2, 4096, 2e-3),
        "30m": Preset(512, 1376, 10, 8, 2, 4096, 1.2e-3),
        "100m": Preset(768, 2048, 12, 12, 4, 32768, 6e-4),
        "300m": Preset(1024, 2816, 24, 16, 4, 32768, 4e-4),
    }
)
"""By name, which says the parameters with the preset's own vocabulary, rounded."""


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        ConfigError: there is none.
    """
    if (found := PRESETS.get(name)) is None:
        raise ConfigError(f"no preset {name!r}; known: {', '.join(PRESETS)}")
    return found
