import importlib

import pytest

from rehearsal.extension import ministack
from rehearsal.extension.ministack import PRIVATE_NAMES, MiniStackChangedError, PrivateName


def test_the_pinned_version_has_every_private_name() -> None:
    ministack.check()


@pytest.mark.parametrize("private", PRIVATE_NAMES, ids=lambda private: private.name)
def test_a_name_that_is_gone_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, private: PrivateName
) -> None:
    monkeypatch.delattr(importlib.import_module(private.module), private.name)

    with pytest.raises(MiniStackChangedError) as changed:
        ministack.check()

    (line,) = str(changed.value).splitlines()
    assert f"MiniStack {ministack.version()} has no {private.module}.{private.name}" in line
    assert private.purpose in line


def test_a_module_that_is_gone_is_named_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = PrivateName("ministack.services.gone", "anything", "a test")
    monkeypatch.setattr(ministack, "PRIVATE_NAMES", (gone,))

    with pytest.raises(MiniStackChangedError, match=r"no ministack\.services\.gone\.anything"):
        ministack.check()
