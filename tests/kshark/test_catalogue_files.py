"""Where catalogues lie."""

from hypothesis import given
from hypothesis import strategies as st

from agentlog.log.admin import Identity
from kshark.catalogue.files import folder, path_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=24)
IDS = TEXTS | st.sampled_from(["..", "/x+y", "a/../b"])


@given(IDS, IDS)
def test_a_catalogue_lies_in_its_folder_whatever_the_ids_are(cluster_id: str, topic_id: str) -> None:
    path = path_of(Identity(cluster_id, topic_id))
    assert path.parent.parent.resolve() == folder().resolve()
    assert path.parent.resolve().parent == folder().resolve()


@given(IDS, IDS, IDS, IDS)
def test_two_topics_have_two_catalogues(cluster: str, topic: str, other_cluster: str, other_topic: str) -> None:
    one, other = Identity(cluster, topic), Identity(other_cluster, other_topic)
    assert (path_of(one) == path_of(other)) == (one == other)
