"""Settings of a detector as scikit-learn and PyOD ask for them, so that `sklearn.base.clone` and searches work."""

from __future__ import annotations

from typing import Any, Self, TypeVar

from pydantic import ValidationError

from triptych.domain import Config
from triptych.domain.errors import RecipeError

T = TypeVar("T", bound=Config)


def settled(config: T, settings: dict[str, Any]) -> T:
    """`config` itself, or one like it with other `settings`. Raises RecipeError for one that is unknown or wrong."""
    if not settings:
        return config
    kept = {name: getattr(config, name) for name in type(config).model_fields}
    try:
        return type(config)(**(kept | settings))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecipeError(f"{place}: {first['msg']}.", remedy="Correct the setting.") from error


class AbstractParameters:
    """What has a `config`, and further arguments of its constructor named in `arguments`."""

    config: Any
    arguments: tuple[str, ...] = ()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Arguments of the constructor; with `deep` each setting too."""
        made = {"config": self.config} | {name: getattr(self, name) for name in self.arguments}
        if deep:
            made |= {name: getattr(self.config, name) for name in type(self.config).model_fields}
        return made

    def set_params(self, **settings: Any) -> Self:
        """Change settings; what has been fitted stays as it is until the next `fit`.

        Raises RecipeError for one that is unknown or wrong.
        """
        own = {name: settings.pop(name) for name in ("config", *self.arguments) if name in settings}
        for name, value in own.items():
            setattr(self, name, value)
        self.config = settled(self.config, settings)
        return self
