"""The classifier of sequences. Methods and attributes follow timm's conventions, as those of the image networks do."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from triptych.domain.errors import DataError, RecipeError
from triptych.models.head import create_classifier
from triptych.models.sequence.encoders import AdaptiveEncoder, ConvolutionalEncoder, RecurrentEncoder, XLSTMEncoder
from triptych.models.sequence.presets import Preset
from triptych.models.sequence.selection import VariableSelection
from triptych.models.sequence.timeframes import TimeframesEncoder
from triptych.models.xlstm import Config as XLSTMConfig
from triptych.models.xlstm import StackState


class SequenceNetwork(nn.Module):
    """Columns are embedded (or selected), an encoder reads them through time, the last step is judged.

    It reads what the encoding `sequence` makes: (batch, columns, 1, time). With `return_head` a second linear map
    foretells the return over the horizon from the same features, in units of `return_scale`, which training sets to the
    deviation of its returns.

    Args:
        preset: its sizes.
        in_chans: columns.
        num_classes: classes; 0 removes the classifier, and the output is (batch, num_features).
        drop_rate: dropout before the classifier, in training only.
        global_pool: avg for what the preset's `pool` says, or empty to keep all steps (then num_classes must be 0).

    Raises RecipeError for shapes that cannot be, and for a classifier without pooling.
    """

    def __init__(
        self, preset: Preset, *, in_chans: int, num_classes: int, drop_rate: float = 0.0, global_pool: str = "avg"
    ) -> None:
        super().__init__()
        self.preset, self.in_chans, self.drop_rate = preset, in_chans, drop_rate
        self.num_features = preset.width
        embed = VariableSelection if preset.selection else nn.Linear
        # Several timeframes embed their own columns.
        self.embed = None if preset.periods else embed(in_chans, preset.width)
        self.encoder = _encoder(preset, in_chans, embed)
        self.return_head = nn.Linear(preset.width, 1) if preset.return_head else None
        if self.return_head is not None:
            nn.init.zeros_(self.return_head.weight)
            nn.init.zeros_(self.return_head.bias)
            self.register_buffer("return_scale", torch.ones(()))
        self._set_classifier(num_classes, global_pool)

    def _set_classifier(self, num_classes: int, global_pool: str) -> None:
        if global_pool not in ("avg", ""):
            raise RecipeError(
                f"A network of sequences has no global_pool {global_pool!r}.",
                remedy="Leave it at avg, and choose by sequence.pool: last or mean.",
            )
        fc = create_classifier(self.num_features, num_classes, global_pool)
        self.num_classes, self.global_pool = num_classes, global_pool
        self.fc = fc

    def get_classifier(self) -> nn.Module:
        """The last layer: a linear one, or the identity when num_classes is 0."""
        return self.fc

    def reset_classifier(self, num_classes: int, global_pool: str = "avg") -> None:
        """Replace the last layer by a fresh one for `num_classes` classes, on the same device and of the same dtype."""
        like = next(self.encoder.parameters())
        self._set_classifier(num_classes, global_pool)
        self.fc.to(device=like.device, dtype=like.dtype)
        self.fc.train(self.training)

    def forward_features(self, x_BC1T: Tensor) -> Tensor:
        """Features of every step, (batch, time, num_features); of several timeframes those of each one's end.

        Raises DataError for another number of axes or columns.
        """
        if x_BC1T.ndim != 4 or x_BC1T.shape[1:3] != (self.in_chans, 1):
            raise DataError(
                f"Expected sequences of shape (batch, {self.in_chans}, 1, time), was {tuple(x_BC1T.shape)}.",
                remedy="Choose the encoding `sequence` with as many columns.",
            )
        columns_BTC = x_BC1T[:, :, 0].transpose(1, 2)
        if self.embed is None:
            out: Tensor = self.encoder(columns_BTC)
        elif isinstance(self.encoder, AdaptiveEncoder):
            out = self.encoder(self.embed(columns_BTC), columns_BTC)
        else:
            out = self.encoder(self.embed(columns_BTC))
        return out

    def forward_head(self, x_BTD: Tensor, pre_logits: bool = False) -> Tensor:
        """From features of all steps to logits (batch, num_classes), or with `pre_logits` to the classifier's input."""
        if not self.global_pool:
            return x_BTD
        x = x_BTD.mean(dim=1) if self.preset.pool == "mean" or self.preset.periods else x_BTD[:, -1]
        if self.drop_rate > 0.0:
            x = F.dropout(x, p=self.drop_rate, training=self.training)
        return x if pre_logits else self.fc(x)

    def forward(self, x_BC1T: Tensor) -> Tensor:
        """Logits of shape (batch, num_classes)."""
        return self.forward_head(self.forward_features(x_BC1T))

    def scores_and_return(self, x_BC1T: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits as in `forward`, and the foretold return of shape (batch,), in units of `return_scale`; None without
        a head for it.
        """
        x = self.forward_head(self.forward_features(x_BC1T), pre_logits=True)
        return self.fc(x), None if self.return_head is None else self.return_head(x)[:, 0]

    def fresh_state(self, batch: int) -> StackState:
        """The state of rows that have seen nothing, for `step` and `prefill`."""
        return self._stream()[1].stack.fresh_state(batch)

    def step(self, x_BC: Tensor, state: StackState) -> tuple[Tensor, StackState]:
        """One candle of columns, (batch, in_chans): logits of the sequence so far and the state after it.

        From a fresh state through all candles of a window this gives what `forward` gives for the window. Raises
        RecipeError for a network that cannot, see `streams`.
        """
        embed, encoder = self._stream()
        out, state = encoder.stack.step(embed(x_BC[:, None])[:, 0], state)
        return self.forward_head(out[:, None]), state

    def prefill(self, x_BC1T: Tensor, state: StackState | None = None) -> tuple[Tensor, StackState]:
        """Many candles at once, (batch, columns, 1, time): logits after the last and the state after it."""
        embed, encoder = self._stream()
        out, state = encoder.stack(embed(x_BC1T[:, :, 0].transpose(1, 2)), state)
        return self.forward_head(out), state

    @property
    def streams(self) -> bool:
        """Whether `step` is there, see `Preset.streams`."""
        return self.preset.streams

    def _stream(self) -> tuple[nn.Module, XLSTMEncoder]:
        if self.embed is not None and isinstance(self.encoder, XLSTMEncoder) and self.streams:
            return self.embed, self.encoder
        raise RecipeError(
            f"{self.preset.name} cannot be streamed candle by candle: it looks at its window as a whole.",
            remedy="Choose an xlstm with pool = last, one timeframe, and no adaptive depth.",
        )


def _encoder(preset: Preset, columns: int, embed: Callable[[int, int], nn.Module]) -> nn.Module:
    if preset.family != "xlstm":
        _refuse_xlstm_only(preset)
    if preset.family == "tcn":
        if preset.kernel < 2:
            raise RecipeError(f"tcn: kernel must be at least 2, was {preset.kernel}.", remedy="Set it to 3.")
        return ConvolutionalEncoder(preset.width, preset.blocks, preset.kernel, preset.dropout)
    if preset.family != "xlstm":
        return RecurrentEncoder(preset.family, preset.width, preset.blocks, preset.dropout)
    config = stack_config(preset)
    if preset.periods:
        if preset.adaptive:
            raise RecipeError(
                "Adaptive depth and several timeframes do not go together.",
                remedy="Set sequence.adaptive to false, or sequence.periods to an empty list.",
            )
        return TimeframesEncoder(config, columns, preset.periods, embed)
    return AdaptiveEncoder(config, columns) if preset.adaptive else XLSTMEncoder(config)


def stack_config(preset: Preset) -> XLSTMConfig:
    """The stack of a preset of the xlstm family. Raises RecipeError for a shape that cannot be."""
    return XLSTMConfig(
        kind=preset.kind,
        width=preset.width,
        blocks=preset.blocks,
        heads=preset.heads,
        ratio=preset.ratio,
        order=preset.order,
        slstm_at=preset.slstm_at,
        kernel=preset.kernel,
        soft_cap=preset.soft_cap,
        dropout=preset.dropout,
    )


def _refuse_xlstm_only(preset: Preset) -> None:
    asked = {
        "ratio": preset.ratio is not None,
        "order": preset.order != "inner",
        "slstm_at": preset.slstm_at is not None,
        "kind": preset.kind != "residual",
        "soft_cap": preset.soft_cap is not None,
        "adaptive": preset.adaptive,
        "periods": bool(preset.periods),
    }
    wrong = [name for name, is_asked in asked.items() if is_asked]
    if wrong:
        raise RecipeError(f"{preset.name} has no {wrong[0]}: only an xlstm has.", remedy=f"Leave out {wrong[0]}.")
