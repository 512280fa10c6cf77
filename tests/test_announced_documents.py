"""Policies of plugins come back from their documents by kind, wherever the documents stand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sparring.access import Ball, ChargedAccess, ObservationAccess
from sparring.attack_game import Side
from sparring.budgets import LP_RADIUS
from sparring.errors import RequestError
from sparring.evaluating import evaluate
from sparring.oracle import Finding, Oracle
from sparring.policy import Mixture
from sparring.registry import DOCUMENT, PluginError, Registry
from sparring.testing.drifting import drift_push
from sparring.testing.pilots import Pusher
from sparring.testing.sampled_arena import pilot_for

FILE = """
import numpy as np
from sparring.testing.pilots import Pusher

class Shover(Pusher):
    def to_document(self):
        return {"kind": "KIND", "rows": self.proposals.tolist()}

    @classmethod
    def of_document(cls, document):
        return cls(np.asarray(document["rows"]))

def useless(document):
    return 3

sparring_documents = {"KIND": WHAT}
from sparring.testing.probing import Probing
sparring_learners = {"search": Probing}
"""


def duel():
    part = ChargedAccess(ObservationAccess(ball=Ball()), LP_RADIUS.budget(0.4), "kit")
    return drift_push().attack_game([part], None)


def registry_of(tmp_path, kind="my-shover", what="Shover.of_document", name="mine.py"):
    path = tmp_path / name
    path.write_text(FILE.replace("KIND", kind).replace("WHAT", what))
    registry = Registry()
    registry.add_file(path)
    return registry


def made_by(registry):
    """The class of the file, as the registry has it."""
    (entry,) = [entry for entry in registry.documents if entry.distribution.endswith(".py")]
    return entry.point.load().__self__


def test_a_kind_of_a_file_comes_back_alone_and_in_mixtures(tmp_path):
    registry = registry_of(tmp_path)
    assert "my-shover" in registry.names(DOCUMENT)
    own = made_by(registry)(np.array([[0.5, -1.0, 0.25]]))
    mixture = Mixture((own, Pusher(np.ones((1, 3)))), (0.25, 0.75))
    with registry.in_use():
        for policy in (own, mixture):
            again = duel().restore(json.loads(json.dumps(policy.to_document())), Side.ATTACKER)
            assert again.to_document() == policy.to_document()
            assert type(again) is type(policy)
    with pytest.raises(RequestError, match="a policy of kind 'my-shover' is none of a learner's"):
        duel().restore(own.to_document(), Side.ATTACKER)


class Shoves(Oracle):
    name, summary = "shoves", "the same push"
    searches = 0
    attacker = None

    def attack(self, duel, victim, *, effort, rng):
        type(self).searches += 1
        return Finding(type(self).attacker(np.sign(rng.normal(size=(2, 3)))))


class OldShoves(Shoves):
    """Written before kinds could be announced."""

    name = "old-shoves"

    def restore(self, document, duel):
        return type(self).attacker.of_document(document)


@pytest.mark.parametrize(("oracle", "kind"), [(Shoves, "my-shover"), (OldShoves, "my-shover"), (OldShoves, "unlisted")])
def test_found_attackers_are_kept_either_way(tmp_path, monkeypatch, oracle, kind):
    registry = registry_of(tmp_path, kind="my-shover")
    own = made_by(registry)
    monkeypatch.setattr(own, "to_document", lambda self: {"kind": kind, "rows": self.proposals.tolist()})
    oracle.attacker, oracle.searches = own, 0
    victim = pilot_for(drift_push())
    with registry.in_use():
        found = [
            evaluate(duel(), victim, [oracle()], episodes=4, resume=tmp_path / "kept").attacks[0].value for _ in "12"
        ]
    assert found[0] == found[1]
    assert oracle.searches == 1


@pytest.mark.parametrize("what", ["useless", "Shover.to_document"])
def test_what_makes_no_policy_is_named(tmp_path, what):
    with registry_of(tmp_path, what=what).in_use(), pytest.raises(PluginError) as caught:
        duel().restore({"kind": "my-shover", "rows": [[1.0]]}, Side.ATTACKER)
    assert "document 'my-shover' of mine.py unpackaged" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_plugins_of_one_kind_are_refused(tmp_path):
    registry = registry_of(tmp_path)
    (tmp_path / "other.py").write_text((tmp_path / "mine.py").read_text().replace('"search"', '"else"'))
    registry.add_file(tmp_path / "other.py")
    with registry.in_use(), pytest.raises(RequestError, match="announced by 2 distributions"):
        duel().restore({"kind": "my-shover", "rows": [[1.0]]}, Side.ATTACKER)
