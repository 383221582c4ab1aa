"""Downloads from a local server that simulates failures."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.files import sha256
from pointcontrast.weights import download
from pointcontrast.weights.backbone_file import save_backbone
from pointcontrast.weights.pretrained import from_pretrained, local_weights
from tests.helpers.authors_weights import in_hybrid_order, write_checkpoint
from tests.helpers.small_backbones import assert_same_weights, small_cloud, trained_like

INPUT = NetworkInput(0.05, ("color",))


class Server(http.server.ThreadingHTTPServer):
    """Serve a folder and count the requests."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.requests: list[tuple[str, str | None]] = []
        self.cuts: list[int] = []  # bytes after which the next connections are closed
        self.failures: list[int] = []  # HTTP errors of the next requests
        self.knows_ranges = True

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.requests.append((self.path, wanted))
        path = server.folder / self.path.lstrip("/")
        if server.failures:
            self.send_error(server.failures.pop(0))
            return
        if not path.is_file():
            self.send_error(404)
            return
        content, start = path.read_bytes(), 0
        if wanted and server.knows_ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
        else:
            self.send_response(200)
        content = content[start:]
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else len(content)
        self.wfile.write(content[:cut])
        self.close_connection = True


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "served"
    folder.mkdir()
    running = Server(folder)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POINTCONTRAST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def served(server: Server) -> Path:
    path = server.folder / "backbone.safetensors"
    save_backbone(path, trained_like(), INPUT, {"step": 3})
    return path


def kept(cache: Path) -> list[str]:
    """Files of weights in the cache, complete or not."""
    return sorted(p.name for p in cache.rglob("*") if p.is_file() and p.name not in (
        ".lock", "source.json"
    ))  # fmt: skip


def test_a_file_is_loaded_and_its_hash_checked(tmp_path: Path) -> None:
    path = tmp_path / "backbone.safetensors"
    save_backbone(path, trained_like(), INPUT, {"step": 3})
    for given in (path, str(path), tmp_path):
        backbone, metadata = from_pretrained(given)
        assert_same_weights(backbone.state_dict(), trained_like().state_dict())
        assert metadata.provenance == {"step": 3}
    from_pretrained(path, sha256(path).upper())
    with pytest.raises(InputError, match=r"backbone\.safetensors has the SHA-256 .*, not 00000"):
        from_pretrained(path, "0" * 64)
    with pytest.raises(InputError, match="must be 64 hexadecimal digits"):
        from_pretrained(path, "abc")
    with pytest.raises(InputError, match="is not a file"):
        from_pretrained(tmp_path, sha256(path))
    with pytest.raises(InputError, match="does not exist"):
        from_pretrained(tmp_path / "none.safetensors")


def test_an_address_is_downloaded_once(server: Server, served: Path, cache: Path) -> None:
    address, digest = f"{server.address}/backbone.safetensors", sha256(served)
    backbone, metadata = from_pretrained(address, digest)
    assert metadata.network_input == INPUT
    coordinates, features = small_cloud()
    with torch.no_grad():
        expected = trained_like().encode(coordinates, features)
        torch.testing.assert_close(backbone.encode(coordinates, features), expected)
    assert kept(cache) == ["backbone.safetensors"]
    server.shutdown()  # the second time without the network
    server.server_close()
    from_pretrained(address, digest)
    from_pretrained(f"{address}#sha256={digest}")
    from_pretrained(address)  # the hash of the first download
    assert len(server.requests) == 1


def test_the_card_next_to_the_file_has_the_hash(server: Server, served: Path, cache: Path) -> None:
    address = f"{server.address}/backbone.safetensors"
    from_pretrained(address)
    assert [path for path, _ in server.requests] == ["/backbone.md", "/backbone.safetensors"]
    from_pretrained(address)
    assert len(server.requests) == 2
    (served.with_suffix(".md")).write_text("# no head")
    (server.folder / "other.safetensors").write_bytes(served.read_bytes())
    (server.folder / "more.safetensors").write_bytes(served.read_bytes())
    (server.folder / "more.md").write_text("# no head")
    for name in ("other", "more"):
        with pytest.raises(InputError, match=rf"{name}\.safetensors needs a sha256: give it"):
            from_pretrained(f"{server.address}/{name}.safetensors")


def test_a_wrong_hash_is_an_error_and_the_file_is_gone(
    server: Server, served: Path, cache: Path
) -> None:
    address = f"{server.address}/backbone.safetensors"
    for _ in range(2):
        with pytest.raises(InputError, match=f"has the SHA-256 {sha256(served)}, not 0000"):
            from_pretrained(address, "0" * 64)
        assert kept(cache) == []
    with pytest.raises(InputError, match="are different SHA-256"):
        from_pretrained(f"{address}#sha256={'1' * 64}", "0" * 64)


def test_a_file_damaged_in_the_cache_is_not_used(server: Server, served: Path, cache: Path) -> None:
    address, digest = f"{server.address}/backbone.safetensors", sha256(served)
    path = local_weights(address, digest)
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    assert sha256(local_weights(address, digest)) == digest
    assert len(server.requests) == 2


def test_cut_connections_are_resumed(server: Server, served: Path, cache: Path) -> None:
    address, digest = f"{server.address}/backbone.safetensors", sha256(served)
    server.cuts = [100_000, 50_000]
    assert sha256(local_weights(address, digest)) == digest
    assert [wanted for _, wanted in server.requests] == [None, "bytes=100000-", "bytes=150000-"]


def test_without_ranges_it_starts_again(server: Server, served: Path, cache: Path) -> None:
    address, digest = f"{server.address}/backbone.safetensors", sha256(served)
    server.cuts, server.knows_ranges = [100_000], False
    assert sha256(local_weights(address, digest)) == digest
    assert len(server.requests) == 2


def test_cut_for_good_is_an_error_and_goes_on_later(
    server: Server, served: Path, cache: Path
) -> None:
    address, digest = f"{server.address}/backbone.safetensors", sha256(served)
    server.cuts = [1000] * download.ATTEMPTS
    with pytest.raises(InputError, match="the connection was lost, 4 times, after 4,000 bytes"):
        local_weights(address, digest)
    assert kept(cache) == [".backbone.safetensors.partial"]
    assert sha256(local_weights(address, digest)) == digest
    assert server.requests[-1][1] == "bytes=4000-"
    assert kept(cache) == ["backbone.safetensors"]


def test_a_resumed_file_that_was_another_is_downloaded_anew(
    server: Server, served: Path, cache: Path
) -> None:
    address, digest = f"{server.address}/backbone.safetensors", sha256(served)
    whole = served.read_bytes()
    served.write_bytes(bytes(len(whole)))
    server.cuts = [1000] * download.ATTEMPTS
    with pytest.raises(InputError, match="the connection was lost"):
        local_weights(address, digest)
    served.write_bytes(whole)
    assert sha256(local_weights(address, digest)) == digest


def test_servers_that_fail(server: Server, served: Path, cache: Path) -> None:
    with pytest.raises(InputError, match=r"none\.safetensors: 404 Not Found; check the address"):
        local_weights(f"{server.address}/none.safetensors", "0" * 64)
    server.failures = [503, 503]
    assert local_weights(f"{server.address}/backbone.safetensors", sha256(served)).is_file()
    server.failures = [500] * download.ATTEMPTS
    with pytest.raises(InputError, match=r"500 .*, 4 times"):
        local_weights(f"{server.address}/other.safetensors", "0" * 64)
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match=r"refused, 4 times, after 0 bytes"):
        local_weights(f"{server.address}/third.safetensors", "0" * 64)
    with pytest.raises(InputError, match="must be the address of a file"):
        local_weights(f"{server.address}/folder/", "0" * 64)
    assert [name for name in kept(cache) if "backbone" not in name] == []


def test_ranks_that_ask_at_once_download_once(server: Server, served: Path, cache: Path) -> None:
    address, digest = f"{server.address}/backbone.safetensors", sha256(served)
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: local_weights(address, digest), range(4)))
    assert {sha256(path) for path in paths} == {digest}
    assert len(server.requests) == 1


def test_a_pth_file_says_how_to_convert_it(server: Server, cache: Path) -> None:
    state = in_hybrid_order(trained_like().state_dict())
    write_checkpoint(server.folder / "nce.pth", "PointContrast", state, legacy=True)
    address, digest = f"{server.address}/nce.pth", sha256(server.folder / "nce.pth")
    assert local_weights(f"{address}#sha256={digest}").suffix == ".pth"
    with pytest.raises(InputError, match=r"tools/convert_weights\.py .*nce\.pth --output"):
        from_pretrained(address, digest)


def test_the_cache_is_where_xdg_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POINTCONTRAST_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert download.cache_folder() == tmp_path / "pointcontrast"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert download.cache_folder() == tmp_path / ".cache" / "pointcontrast"
