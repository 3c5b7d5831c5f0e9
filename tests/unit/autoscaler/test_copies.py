from __future__ import annotations

import copy
from typing import Any

from autoscaler.copies import copy_of, number_of

ID = "c0ffee" + "0" * 58
MODEL: dict[str, Any] = {
    "Id": ID,
    "Name": "/facestream-worker-1",
    "Image": "sha256:1",
    "Config": {
        "Hostname": ID[:12],
        "Image": "facestream/worker:local",
        "Env": ["DELIVERY=exactly_once"],
        "StopSignal": "SIGTERM",
        "Labels": {
            "com.docker.compose.project": "facestream",
            "com.docker.compose.service": "worker",
            "com.docker.compose.container-number": "1",
            "com.docker.compose.config-hash": "abc",
            "com.docker.compose.replace": "what-it-replaced",
        },
    },
    "HostConfig": {
        "NetworkMode": "facestream_stream",
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "Binds": ["facestream_models:/models:ro"],
        "NanoCpus": 500_000_000,
    },
    "NetworkSettings": {
        "Networks": {
            "facestream_stream": {
                "Aliases": ["facestream-worker-1", "worker", ID[:12]],
                "IPAddress": "172.20.0.7",
                "MacAddress": "02:42:ac:14:00:07",
            }
        }
    },
}


def test_a_copy_is_the_same_but_for_name_number_and_addresses() -> None:
    made = copy_of(MODEL, 2)
    assert made.name == "facestream-worker-2"
    assert made.config["HostConfig"] == MODEL["HostConfig"]
    assert made.config["Env"] == MODEL["Config"]["Env"]
    assert "Hostname" not in made.config
    assert made.config["NetworkingConfig"] == {
        "EndpointsConfig": {"facestream_stream": {"Aliases": ["facestream-worker-2", "worker"]}}
    }
    assert made.more_networks == {}


def test_compose_finds_its_own_labels_with_the_next_number() -> None:
    labels = copy_of(MODEL, 12).config["Labels"]
    assert number_of(labels) == 12
    assert labels["com.docker.compose.config-hash"] == "abc"
    assert "com.docker.compose.replace" not in labels


def test_the_model_is_left_as_it_was() -> None:
    before = copy.deepcopy(MODEL)
    copy_of(MODEL, 2)
    assert before == MODEL


def test_a_host_name_that_somebody_chose_is_kept() -> None:
    model = copy.deepcopy(MODEL)
    model["Config"]["Hostname"] = "worker"
    assert copy_of(model, 2).config["Hostname"] == "worker"


def test_further_networks_are_joined_after_the_first() -> None:
    model = copy.deepcopy(MODEL)
    model["NetworkSettings"]["Networks"]["facestream_outside"] = {"Aliases": ["worker"]}
    made = copy_of(model, 3)
    assert list(made.config["NetworkingConfig"]["EndpointsConfig"]) == ["facestream_stream"]
    assert made.more_networks == {
        "facestream_outside": {"aliases": ["facestream-worker-3", "worker"]}
    }


def test_names_of_older_composes_and_of_ones_own_are_numbered_too() -> None:
    model = copy.deepcopy(MODEL)
    model["Name"] = "/facestream_worker_1"
    assert copy_of(model, 2).name == "facestream_worker_2"
    model["Name"] = "/eyes"
    assert copy_of(model, 2).name == "facestream-worker-2"


def test_a_container_without_a_number_counts_as_none() -> None:
    assert number_of({}) == 0
