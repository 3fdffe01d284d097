"""What the fields of a card are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Seed", "Share", "Strict"]

Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Strict(BaseModel):
    """Fields that are named, of the right type, and never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
