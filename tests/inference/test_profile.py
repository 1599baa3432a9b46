import json

import pytest

from triptych.domain.errors import DataError
from triptych.inference.profile import Profile, Timing, Translation, read_profile, require_threads


def profile(*rows, threads=1, step_ms=0.01):
    networks = {name: Timing(p50_ms=p50, p99_ms=p99) for name, p50, p99 in rows}
    steps = {"step": Timing(p50_ms=step_ms, p99_ms=2 * step_ms)}
    return Profile(threads=threads, networks=networks, steps=steps)


HERE = profile(("small", 1.0, 2.0), ("large", 100.0, 110.0))
THERE = profile(("small", 2.0, 4.0), ("large", 800.0, 990.0))


def test_the_ratio_is_interpolated_on_logarithms_and_constant_beyond():
    translation = Translation(HERE, THERE)
    assert translation.milliseconds(1.0) == pytest.approx(2.0)
    assert translation.milliseconds(100.0) == pytest.approx(800.0)
    assert translation.milliseconds(10.0) == pytest.approx(40.0)  # between 2 and 8 the middle of the logarithms is 4
    assert translation.milliseconds(0.1) == pytest.approx(0.2)
    assert translation.milliseconds(1000.0) == pytest.approx(8000.0)


def test_the_ratio_of_p99_is_its_own_but_never_below_that_of_the_median():
    assert Translation(HERE, THERE).milliseconds(110.0, "p99") == pytest.approx(110.0 * 9.0)
    calm = profile(("small", 2.0, 2.0), ("large", 800.0, 800.0))
    assert Translation(HERE, calm).milliseconds(2.0, "p99") > 2.0 * 2.0


def test_a_machine_translated_into_itself_stays_as_it_is():
    assert Translation(HERE, HERE).milliseconds(7.0, "p99") == pytest.approx(7.0)


def test_profiles_without_a_common_network_are_refused():
    with pytest.raises(DataError) as caught:
        Translation(HERE, profile(("other", 1.0, 1.0)))
    assert str(caught.value) == (
        "The profile was measured with other reference networks than those of this version. Make it anew with the same "
        "version on both machines: triptych profile --save FILE."
    )


def test_steps_are_translated_by_steps():
    translation = Translation(HERE, profile(("small", 2.0, 4.0), step_ms=0.05), "step")
    assert translation.milliseconds(0.02) == pytest.approx(0.1)


def test_a_profile_of_another_number_of_threads_is_refused():
    require_threads(profile(("small", 1.0, 2.0), threads=2), 2)
    with pytest.raises(DataError) as caught:
        require_threads(profile(("small", 1.0, 2.0), threads=4), 1)
    assert str(caught.value) == (
        "The profile was made with 4 CPU threads, and the search measures with 1. Make it anew on that machine, "
        "triptych profile --threads 1 --save FILE, or set tune.threads = 4."
    )


def test_it_is_read_as_it_was_written(tmp_path):
    path = HERE.save(tmp_path / "pc.json")
    assert read_profile(path) == HERE


AGAIN = "Make one on that machine: triptych profile --save FILE."


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no file {path}. " + AGAIN),
        ("no json", "{path} is no profile of a machine: it is not JSON. " + AGAIN),
        ('{"rows": []}', "{path} is no profile of a machine. " + AGAIN),
        (
            '{"kind": "triptych machine profile", "format": 1}',
            "{path} has format 1, this version of Triptych reads format 2. Make the profile anew "
            "with the same version on both "
            "machines: triptych profile --save FILE.",
        ),
        (
            '{"kind": "triptych machine profile", "format": 2, "threads": 0, "networks": {}, "steps": {}}',
            "{path} is damaged: threads: Input should be greater than or equal to 1. " + AGAIN,
        ),
    ],
)  # fmt: skip
def test_what_is_no_profile_of_this_format_is_refused(tmp_path, content, words):
    path = tmp_path / "pc.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError) as caught:
        read_profile(path)
    assert str(caught.value) == words.format(path=path)


def test_the_file_says_what_it_is(tmp_path):
    content = json.loads(HERE.save(tmp_path / "pc.json").read_text())
    assert (content["kind"], content["format"]) == ("triptych machine profile", 2)
