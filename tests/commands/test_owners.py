"""`kms-tornado owners`: whose the objects are."""

from __future__ import annotations

from .conftest import Place


def test_users_are_listed_with_the_number_of_their_objects_the_most_first(place: Place) -> None:
    few, many, none = (place.kms.user() for _ in range(3))
    few.create()
    for _ in range(3):
        many.create()
    destroyed = few.create()
    few.revoke(destroyed)
    few.destroy(destroyed)
    gone = none.create()
    none.revoke(gone)
    none.destroy(gone, remove=True)
    done = place.run("owners")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"3\t{many.name}", f"2\t{few.name}"]
