"""`copal serve --dir --write` is killed while files are written: what was answered is there, all else is old or new,
and whole. `make kills` does it more often."""
import os
import random
import signal
import threading

from support import coap
from support.process import Serve
from support.upload import Upload, hidden

KILLS = int(os.environ.get("COPAL_KILLS", "50"))
FILES = ["a", "b", "sub/c", "sub/d"]


def content(number, size):
    return b"%08d" % number * size


class Writer(threading.Thread):
    """Puts the next content to a file, again and again, until its server is gone."""

    def __init__(self, server, path, answers, number, seed):
        super().__init__(daemon=True)
        self.server, self.path, self.answers = server, path, answers
        self.draw = random.Random(seed)
        self.number = self.written = number  # the last one that was tried, and that was answered
        self.ended, self.error = False, None

    def _answer(self, upload):
        upload.socket.settimeout(0.1)
        receive = upload.step
        while True:
            try:
                return receive().code
            except TimeoutError:
                if self.ended:
                    raise
            receive = upload.receive

    def _put(self):
        upload = Upload(self.server, self.path, content(self.number + 1, self.draw.randint(1, 1200)), szx=5)
        self.number += 1
        code = coap.code("2.31")
        with upload.socket:
            while code == coap.code("2.31"):
                code = self._answer(upload)
                self.answers.release()
        assert code in (coap.code("2.01"), coap.code("2.04")), code
        self.written = self.number

    def run(self):
        try:
            while not self.ended:
                self._put()
        except Exception as error:
            if not self.ended:  # else the server is gone
                self.error = error
                self.answers.release()

    def end(self):
        self.join()
        if self.error:
            raise self.error


def kill_while_written(place, numbers, seed):
    """`numbers` are those that the files have, before and after."""
    draw, answers = random.Random(seed), threading.Semaphore(0)
    server = Serve("--dir", str(place), "--write")
    try:
        assert hidden(place) == [], f"seed {seed}: the server before left something, and this one has begun"
        writers = [Writer(server, path, answers, numbers[path], f"{seed} {path}") for path in FILES]
        for writer in writers:
            writer.start()
        for _ in range(draw.randint(1, 200)):
            answers.acquire()
    finally:
        for writer in writers:
            writer.ended = True
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
    for writer in writers:
        writer.end()
    for writer in writers:
        data = (place / writer.path).read_bytes() if (place / writer.path).exists() else content(0, 1)
        number = int(data[:8])
        assert writer.written <= number <= writer.number, \
            f"seed {seed}: {writer.path} is {number}, {writer.written} was written"
        assert data == content(number, len(data) // 8), f"seed {seed}: {writer.path} is not whole"
        numbers[writer.path] = number


def test_a_server_that_is_killed_leaves_each_file_whole_and_the_next_one_tidies_up(tmp_path):
    (tmp_path / "sub").mkdir()
    numbers = dict.fromkeys(FILES, 0)
    for seed in range(KILLS):
        kill_while_written(tmp_path, numbers, seed)
    with Serve("--dir", str(tmp_path), "--write"):
        assert hidden(tmp_path) == []
