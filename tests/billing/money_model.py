"""The rules of money in plain Python, as short as they can be said: what the database is compared with."""

from dataclasses import dataclass, field

RATE = 25_000  # nanos of a second on cpu-small
PRIORITIES = {"promo": 10, "goodwill": 20, "paid": 50}


def cost(microseconds: int) -> int:
    """Half to even: 40 µs are a nano."""
    whole, rest = divmod(microseconds, 40)
    return whole + (rest > 20 or (rest == 20 and whole % 2 == 1))


@dataclass
class Bucket:
    """expires: a day's number, None for never."""

    kind: str
    rest: int
    expires: int | None
    is_over: bool = False

    @property
    def side(self) -> str:
        """Where it lies in the ledger."""
        return "wallet" if self.kind == "paid" else "promo"


@dataclass
class Run:
    """One usage record. batch: the path of the batch it was posted in."""

    key: str
    microseconds: int
    refunded: int = 0
    batch: "list[tuple[str, Bucket | None, int]] | None" = None

    @property
    def amount(self) -> int:
        """What it was charged."""
        return cost(self.microseconds)


@dataclass
class Book:
    """One account's money. sides: what lies on each of its ledger accounts, credit and debt both as positive."""

    mode: str = "internal"
    sides: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("promo", "wallet", "unbilled", "internal"), 0))
    buckets: list[Bucket] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    revenue: int = 0
    refunds: int = 0
    breakage: int = 0

    @property
    def overrun(self) -> int:
        """What paid buckets hold more than the wallet has."""
        return sum(bucket.rest for bucket in self.buckets if bucket.kind == "paid") - self.sides["wallet"]

    def grant(self, amount: int, expires: int | None) -> None:
        """Free credit."""
        self.mode = "prepaid" if self.mode == "internal" else self.mode
        self.buckets.append(Bucket("promo", amount, expires))
        self.sides["promo"] += amount

    def pay(self, amount: int) -> None:
        """Bought credit, of which an overrun is taken first."""
        self.mode = "prepaid" if self.mode in {"internal", "trial"} else self.mode
        self.buckets.append(Bucket("paid", amount - min(amount, self.overrun), None))
        self.sides["wallet"] += amount

    def post(self, limit: int) -> None:
        """Everything that waits, oldest first, `limit` at once."""
        while batch := [run for run in self.runs if run.batch is None][:limit]:
            path = self._take(sum(run.amount for run in batch))
            self.revenue += sum(run.amount for run in batch)
            for run in batch:
                run.batch = path

    def _take(self, amount: int) -> "list[tuple[str, Bucket | None, int]]":
        path: list[tuple[str, Bucket | None, int]] = []
        if self.mode == "internal":
            self.sides["internal"] += amount
            return [("internal", None, amount)]
        in_order = sorted(self.buckets, key=lambda one: (PRIORITIES[one.kind], one.expires is None, one.expires or 0))
        for bucket in in_order:
            if part := min(bucket.rest, amount):
                bucket.rest -= part
                self.sides[bucket.side] -= part
                path.append((bucket.side, bucket, part))
                amount -= part
        if amount:
            side = "unbilled" if self.mode == "postpaid" else "wallet"
            self.sides[side] += amount if side == "unbilled" else -amount
            path.append((side, None, amount))
        return path

    def refund(self, run: Run, amount: int, today: int) -> None:
        """Back from the end of the batch's path, which becomes as much shorter."""
        self.post(500)
        assert run.batch is not None
        run.refunded += amount
        self.refunds += amount
        while amount:
            side, bucket, part = run.batch.pop()
            if part > amount:
                run.batch.append((side, bucket, part - amount))
                part = amount
            amount -= part
            self._put_back(side, bucket, part, today)

    def _put_back(self, side: str, bucket: Bucket | None, amount: int, today: int) -> None:
        if side in {"unbilled", "internal"}:
            self.sides[side] -= amount
            return
        if side == "wallet":
            covered = min(amount, self.overrun)
            self.sides["wallet"] += covered
            amount -= covered
        if bucket is None:
            bucket = Bucket("paid", 0, today + 365)
            self.buckets.append(bucket)
        elif bucket.expires is not None and bucket.expires <= today:
            bucket = Bucket("goodwill", 0, today + 30)
            self.buckets.append(bucket)
        bucket.rest += amount
        self.sides[bucket.side] += amount

    def expire(self, today: int) -> None:
        """What is over goes, after what was used before was taken."""
        over = [one for one in self.buckets if one.expires is not None and one.expires <= today and not one.is_over]
        if over:
            self.post(500)
        for bucket in over:
            self.sides[bucket.side] -= bucket.rest
            self.breakage += bucket.rest if bucket.kind == "paid" else 0
            bucket.rest, bucket.is_over = 0, True
