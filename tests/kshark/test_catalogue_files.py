"""The paths of catalogues."""

from hypothesis import given
from hypothesis import strategies as st

from agentlog.log.admin import TopicIdentity
from kshark.catalogue.files import locate_catalogue, locate_catalogue_folder

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=24)
IDS = TEXTS | st.sampled_from(["..", "/x+y", "a/../b"])


@given(IDS, IDS)
def test_a_catalogue_lies_in_its_folder_whatever_the_ids_are(cluster_id: str, topic_id: str) -> None:
    path = locate_catalogue(TopicIdentity(cluster_id, topic_id))
    assert path.parent.parent.resolve() == locate_catalogue_folder().resolve()
    assert path.parent.resolve().parent == locate_catalogue_folder().resolve()


@given(IDS, IDS, IDS, IDS)
def test_two_topics_have_two_catalogues(cluster: str, topic: str, other_cluster: str, other_topic: str) -> None:
    one, other = TopicIdentity(cluster, topic), TopicIdentity(other_cluster, other_topic)
    assert (locate_catalogue(one) == locate_catalogue(other)) == (one == other)
