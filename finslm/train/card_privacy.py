"""What a model card says of redaction, of the guarantee, and of what attacks found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finslm.train.privacy.exposure import UNTRAINED_BITS


def redaction(done: Mapping[str, Any] | None) -> str:
    """What the redaction stage did to the rows, as ``metrics.json`` has it."""
    if done is None:
        return "Nothing was redacted: the recipe says so."
    pieces = ", ".join(f"{count} {type_}" for type_, count in done["pieces_by_type"].items())
    return (
        f"All texts went through the redaction stage first, with the placeholders of serving; it changed "
        f"{done['texts_changed']} of {done['texts']} ({pieces or 'nothing'}). DATA_CARD.md of the run folder has it in full."
    )


def privacy(guarantee: Mapping[str, Any] | None, audit: Mapping[str, Any] | None) -> str:
    """The guarantee, and what was measured."""
    return "\n\n".join([_guarantee(guarantee), *([] if audit is None else [attacks(audit), *_exposure(audit)])])


def _guarantee(plan: Mapping[str, Any] | None) -> str:
    if plan is None:
        return "Trained without differential privacy: there is no guarantee for a row, only what was measured."
    if plan["noise"] == "seeded":
        return "Trained with noise made from the recipe's seed, for a measurement: there is no guarantee for a row."
    return (
        f"Trained with differential privacy: epsilon {plan['epsilon']:.2f} at delta {plan['delta']:g}, for one row more "
        f"or less to train on or held back (DP-SGD, {plan['steps']} steps, each row in a step with probability "
        f"{plan['sample_rate']:.4f}, gradients clipped to {plan['max_grad_norm']:g}, noise {plan['noise_multiplier']:.3f} "
        f"times that; accountant: {plan['accountant']}). It covers the files of this folder that serving loads, not the "
        "figures of this card."
    )


def attacks(audit: Mapping[str, Any], *, rows: str = "rows", others: str = "test rows") -> str:
    """The table of membership inference.

    Args:
        audit: as ``metrics.json`` has it.
        rows: what was trained on.
        others: what it is told from.
    """
    lines = [
        "| can it be told what was trained on? | area under ROC | 95 % interval | advantage | "
        "members found at 1 % false alarms | at .1 % |",
        "|---|---|---|---|---|---|",
    ]
    for name, attack in (
        ("by the loss", audit["membership"]["loss_threshold"]),
        ("by the loss beside a reference model's", audit["membership"]["calibrated"]),
        *((f"by the loss: {kind}", attack) for kind, attack in audit["membership"].get("by_kind", {}).items()),
    ):
        if attack is not None:
            lines.append(
                f"| {name} | {attack['auc']:.3f} | {attack['auc_low']:.3f} to {attack['auc_high']:.3f} | "
                f"{attack['advantage']:.3f} | {attack['found_at_1_percent']:.1%} | {attack['found_at_01_percent']:.1%} |"
            )
    sides = audit["membership"]["loss_threshold"]
    lines += [
        "",
        f"{sides['members']} {rows} trained on, {sides['others']} {others}; guessing has .5, 0, 1 % and .1 %.",
    ]
    return "\n".join(lines)


def _exposure(audit: Mapping[str, Any]) -> list[str]:
    if not audit["exposure"]:
        return []
    lines = [
        "| planted text trained on so many times | texts | exposure, mean bits | most |",
        "|---|---|---|---|",
        *(
            f"| {each['times'] or 'never (control)'} | {each['canaries']} | {each['mean']:.2f} | {each['most']:.2f} |"
            for each in audit["exposure"]
        ),
    ]
    return [
        "\n".join(lines),
        f"In a twin of this adapter, trained by the same recipe on {audit['twin_rows']} of the rows and these texts; the "
        f"adapter itself saw none of them. A text never trained on has {UNTRAINED_BITS:.2f} on average, the most that can "
        f"be is {audit['exposure'][0]['limit']:.2f}.",
    ]
