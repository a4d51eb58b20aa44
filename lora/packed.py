"""Linear layers in bfloat16 on a CPU whose weights lie as oneDNN multiplies them.

torch's own linear brings a weight into that order anew at each call, which for the few words of
one text costs nearly as much as the product: MiniLM takes .85 of the time for it, and less than
before for any batch; answers are equal bit by bit. The two operators are those that torch's
compiler emits for such layers.
"""

from __future__ import annotations

import torch


def can_pack(dtype: torch.dtype, device: str) -> bool:
    """Whether weights of this kind are packed: bfloat16, on a CPU, by a torch that knows how."""
    known = hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
    mine = dtype == torch.bfloat16 and device == "cpu"
    return mine and known and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def pack(weight: torch.Tensor) -> torch.nn.Parameter:
    """The same numbers in oneDNN's order; only a Packed layer can read them."""
    packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach())
    return torch.nn.Parameter(packed, requires_grad=False)


def multiply(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """x by a packed weight, plus the bias."""
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found


class Packed(torch.nn.Linear):  # type: ignore[misc]
    """A linear layer whose weight is packed."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return multiply(x, self.weight, self.bias)
