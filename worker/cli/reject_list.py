"""Rejects as the commands list them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.cli.app import out

if TYPE_CHECKING:
    from models.reject import Reject

RAW_BYTES_SHOWN = 120


def reject_document(reject: Reject) -> dict[str, Any]:
    """Describe a reject, with the first of its bytes."""
    return {
        "id": reject.id,
        "run_id": str(reject.run_id),
        "entity": reject.entity,
        "source": reject.source,
        "position": reject.position,
        "rule": reject.rule,
        "reason": reject.reason,
        "raw": repr(reject.raw[:RAW_BYTES_SHOWN])[2:-1],
        "replayed_by": str(reject.replayed_by) if reject.replayed_by else None,
    }


def show_rejects(documents: list[dict[str, Any]]) -> None:
    """Print rejects: where they stood, what was wrong, their bytes, and what has loaded them since."""
    for reject in documents:
        source, position = reject["source"], reject["position"]
        where = f"{source} at byte {position}" if source else f"number {position} of the {reject['entity']}"
        since = f" (replayed by {reject['replayed_by'][:8]})" if reject["replayed_by"] else ""
        out.print(f"{where}: {reject['rule']}: {reject['reason']}{since}", markup=False)
        out.print(f"    {reject['raw']}", markup=False)
