"""The firm's clients: figures, accounts and numbers of people who do not exist. A part of the generator."""

import random
from datetime import date, timedelta

from opinion.clients import check_digit

from . import vocabulary as words

COUNT = 5_000
# Every bound of the grid, of coverage, of VIP and core clients, from both sides: assets and turnover.
BOUNDS = [(assets, turnover)
          for bound in (5_000_000, 1_000_000, 500_000, 100_000, 10_000)
          for assets in (f"{bound}.00", f"{bound - 1}.99") for turnover in ("3.00", "2.99")]
BOUNDS += [("0.00", "0.00"), ("0.01", "12.5"), ("10000000000", "0"), ("5000000", "3"), ("9999.99", "3.00")]
# Shares of assets that people have, in yuan from and to.
WEALTH = [(0, 9_999, 22), (10_000, 99_999, 38), (100_000, 499_999, 26), (500_000, 999_999, 8),
          (1_000_000, 4_999_999, 5), (5_000_000, 60_000_000, 1)]


class ClientFiles:
    """Rows of clients.csv."""

    def __init__(self, seed, known, stories):
        """`known` are the clients of contacts.csv, `stories` those who complain with their figures."""
        self.rng = random.Random(seed)
        self.numbers = set()
        # Some whom the CRM knows have no file yet: their ids stay external.
        people = [(client, None) for n, client in enumerate(known) if n % 32 != 5]
        people += [(client, client["figures"]) for client in stories]
        self.rows = []
        for client, figures in people:
            self.rows.append(self.row(client, figures))
        first = len(known) + len(stories)
        for n in range(COUNT - len(people)):
            self.rows.append(self.row(self.stranger(first + n), BOUNDS[n] if n < len(BOUNDS) else None))
        self.families()
        self.rows.sort(key=lambda row: row["client"])

    def stranger(self, n):
        name = self.rng.choice(words.SURNAMES) + self.rng.choice(words.GIVEN[self.rng.choice(["male", "female"])])
        if self.rng.random() < 0.05:
            phone = f"0355-9{self.rng.randrange(10**6):06d}"
        else:
            phone = f"154{self.rng.randrange(10**8):08d}"
        return {"client": client_id(n), "name": name, "phone": phone,
                "branch": "taiyuan" if self.rng.random() < 0.16 else "changzhi"}

    def row(self, client, figures):
        rng = self.rng
        assets, turnover = figures or self.figures()
        holdings = [f"99{rng.randrange(10**4):04d}" for _ in range(rng.choice([0, 1, 1, 2, 3, 5]))]
        return {
            "client": client["client"], "branch": client["branch"], "name": client["name"],
            "phone": spelled(client["phone"], rng), "identity_number": self.identity_number(), "assets": assets,
            "turnover": turnover, "accounts": self.accounts(), "holdings": ";".join(dict.fromkeys(holdings)),
            "last_purchase": holdings[-1] if holdings else "", "service_manager": self.manager(client, assets),
        }

    def figures(self):
        low, high, _ = self.rng.choices(WEALTH, [share for *_, share in WEALTH])[0]
        assets = self.rng.randrange(low * 100, high * 100 + 100)
        turnover = self.rng.choice([self.rng.randrange(300), self.rng.randrange(300), self.rng.randrange(300, 2500)])
        return f"{assets // 100}.{assets % 100:02d}", f"{turnover // 100}.{turnover % 100:02d}"

    def identity_number(self):
        """With a region that there is none of, so that it is nobody's; some clients have other papers."""
        if self.rng.random() < 0.06:
            return ""
        born = date(1940, 1, 1) + timedelta(days=self.rng.randrange(24_000))
        body = f"990001{born:%Y%m%d}{self.rng.randrange(1000):03d}"
        if body in self.numbers:
            return self.identity_number()
        self.numbers.add(body)
        return body + check_digit(body)

    def accounts(self):
        count = self.rng.choices([1, 2, 3, 4, 5], [70, 18, 7, 3, 2])[0]
        primary = self.rng.randrange(count)
        parts = []
        for n in range(count):
            number = f"66{self.rng.randrange(10**8):08d}"
            while number in self.numbers:
                number = f"66{self.rng.randrange(10**8):08d}"
            self.numbers.add(number)
            parts.append(f"{number}:{self.rng.choice(words.BANKS)}" + (":primary" if n == primary else ""))
        return ";".join(parts)

    def manager(self, client, assets):
        """A few have asked for somebody."""
        if float(assets) >= 500_000 or self.rng.random() > 0.02:
            return ""
        return "cui-ying" if client["branch"] == "taiyuan" else self.rng.choice(["wang-fang", "li-qiang"])

    def families(self):
        """Some share one telephone; nobody can be looked up by it."""
        for one, other in zip(self.rows[-60::2], self.rows[-59::2]):
            other["phone"] = one["phone"]


def client_id(n):
    return f"8001{n * 37 % 10000:04d}"


def spelled(phone, rng):
    """Numbers stand in files as people write them."""
    if phone.startswith("0355-"):
        return rng.choice([phone, phone.replace("-", ""), f"(0355){phone[5:]}", phone.replace("-", " ")])
    a, b, c = phone[:3], phone[3:7], phone[7:]
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    return rng.choice([phone] * 8 + [f"{a}-{b}-{c}", f"{a} {b} {c}", f"+86 {phone}", f"+86-{a}-{b}-{c}", f"0086{phone}",
                                     f"86{phone}", f"{a}.{b}.{c}", phone.translate(wide)])
