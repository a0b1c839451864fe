"""Writing the proxy class of a service."""

from __future__ import annotations

from farcall._contract.spec import (
    Access,
    ArgumentSpec,
    ArrayOf,
    Default,
    MethodSpec,
    RecordSpec,
    Ref,
    Scalar,
    ServiceSpec,
    SignalSpec,
)
from farcall.stubgen._names import Names
from farcall.stubgen._proxy import proxy

INT, NONE = Scalar("int"), Scalar("none")


def lines(
    *methods: MethodSpec, signals: tuple[SignalSpec, ...] = (), doc: str | None = None
) -> list[str]:
    spec = ServiceSpec("Shop", "Shop", methods, signals, (), doc)
    return proxy(spec, "abc", Names(spec)).split("\n")


def signature(*arguments: ArgumentSpec) -> str:
    (line,) = (each for each in lines(MethodSpec("f", "Shop.f", arguments, NONE)) if "def" in each)
    return line.strip()


def test_the_header_carries_the_contract() -> None:
    """The header of a proxy has the service name and the digest."""
    assert lines()[0] == 'class ShopProxy(farcall.Proxy, service="Shop", contract="abc"):'


def test_a_long_header_is_broken() -> None:
    """A long header has one part a line."""
    spec = ServiceSpec("S" * 40, "S" * 40, (), (), ())

    assert proxy(spec, "0" * 32, Names(spec)).split("\n")[:2] == [
        f"class {'S' * 40}Proxy(",
        "    farcall.Proxy,",
    ]


def test_a_body_is_never_empty() -> None:
    """A proxy without members has a docstring or ``pass``."""
    assert lines()[1:] == ["    pass"]
    assert lines(doc="Sells.")[1:] == ['    """Sells."""']


def test_a_method_is_async_and_carries_its_name_on_the_wire() -> None:
    """A method is async, has its wire name in the decorator, and has no body."""
    assert lines(MethodSpec("buy", "shop.purchase", (), INT, inline=True, doc="Buy.")) == [
        'class ShopProxy(farcall.Proxy, service="Shop", contract="abc"):',
        '    @farcall.endpoint("shop.purchase")',
        "    async def buy(self) -> int:",
        '        """Buy."""',
        "        raise NotImplementedError",
    ]


def test_errors_and_direction_are_told_to_the_decorator() -> None:
    """The decorator of a method lists its errors, and says that it is one-way."""
    error = RecordSpec("SoldOut", "error", ())
    method = MethodSpec("f", "Shop.f", (), NONE, ("SoldOut",), oneway=True)
    spec = ServiceSpec("Shop", "Shop", (method,), (), (error,))

    decorator = proxy(spec, "abc", Names(spec)).split("\n")[1].strip()

    assert decorator == '@farcall.endpoint("Shop.f", raises=[SoldOut], oneway=True)'


def test_a_stream_is_a_context_manager() -> None:
    """A stream is a plain def that returns a context manager of items."""
    error = RecordSpec("SoldOut", "error", ())
    method = MethodSpec("f", "Shop.f", (), INT, ("SoldOut",), stream=True, doc="All.")
    spec = ServiceSpec("Shop", "Shop", (method,), (), (error,))

    assert proxy(spec, "abc", Names(spec)).split("\n")[1:] == [
        '    @farcall.stream_endpoint("Shop.f", raises=[SoldOut])',
        "    def f(self) -> AbstractAsyncContextManager[AsyncIterator[int]]:",
        '        """All."""',
        "        raise NotImplementedError",
    ]


def test_an_upload_takes_any_async_iterable() -> None:
    """An upload is annotated as AsyncIterable of its item type."""
    assert signature(ArgumentSpec("rows", INT, "either", upload=True)) == (
        "async def f(self, rows: AsyncIterable[int]) -> None:"
    )


def test_roles_of_arguments() -> None:
    """The slash and the star stand where the service has them."""
    a = ArgumentSpec("a", INT, "positional")
    b = ArgumentSpec("b", INT, "either")
    c = ArgumentSpec("c", INT, "keyword", Default("3"))

    assert signature(a, b, c) == "async def f(self, a: int, /, b: int, *, c: int = 3) -> None:"
    assert signature(b, c) == "async def f(self, b: int, *, c: int = 3) -> None:"


def test_a_remote_task_has_the_parameter_of_trio() -> None:
    """A remote task has a typed task_status with Trio's default."""
    limit = ArgumentSpec("limit", INT, "keyword")
    method = MethodSpec("run", "Shop.run", (limit,), NONE, started=INT)

    assert lines(method)[2:7] == [
        "    async def run(",
        "        self,",
        "        *,",
        "        limit: int,",
        "        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,",
    ]


def test_defaults_of_arguments() -> None:
    """A default without a literal, or that can change, becomes OMIT."""
    x, y = (
        ArgumentSpec(name, INT, "either", Default(source))
        for name, source in (("x", "1"), ("y", None))
    )
    z = ArgumentSpec("z", ArrayOf("list", INT), "either", Default("[]"))

    assert signature(x, y, z) == (
        "async def f(self, x: int = 1, y: int = farcall.OMIT, z: list[int] = farcall.OMIT) -> None:"
    )


def test_an_argument_may_be_called_self() -> None:
    """If an argument is called self, the proxy itself is _self, before a slash."""
    assert signature(ArgumentSpec("self", INT, "either")) == (
        "async def f(_self, /, self: int) -> None:"
    )
    assert signature(
        ArgumentSpec("self", INT, "positional"), ArgumentSpec("_self", INT, "either")
    ) == ("async def f(__self, self: int, /, _self: int) -> None:")


def test_what_needs_a_login_says_so() -> None:
    """The docstring of a protected member names the login that it needs."""
    traders = Access(protected=True, roles=frozenset({"trader", "clerk"}))
    buy = MethodSpec("buy", "Shop.buy", (), NONE, access=traders, doc="Buy.\n\nMore.")
    sold = SignalSpec("sold", "Shop.sold", INT, access=Access(protected=True))

    assert lines(buy, signals=(sold,))[1:] == [
        '    sold: farcall.RemoteSignal[int] = farcall.RemoteSignal("Shop.sold")',
        '    """Needs a login."""',
        "",
        '    @farcall.endpoint("Shop.buy")',
        "    async def buy(self) -> None:",
        '        """Buy.',
        "",
        "        More.",
        "",
        "        Needs a login with the role clerk or trader.",
        '        """',
        "        raise NotImplementedError",
    ]


def test_signals_stand_together() -> None:
    """Signals stand before the methods, without empty lines between them."""
    signals = (SignalSpec("a", "Shop.a", INT), SignalSpec("b", "b", NONE))

    assert lines(MethodSpec("f", "Shop.f", (), NONE), signals=signals)[1:5] == [
        '    a: farcall.RemoteSignal[int] = farcall.RemoteSignal("Shop.a")',
        '    b: farcall.RemoteSignal[None] = farcall.RemoteSignal("b")',
        "",
        '    @farcall.endpoint("Shop.f")',
    ]


def test_a_signal_with_a_key_says_of_which_type() -> None:
    """A signal with a key has the key's type as second argument."""
    signals = (SignalSpec("a", "Shop.a", Ref("Deal"), "symbol", Scalar("str")),)

    assert lines(signals=signals)[1] == (
        '    a: farcall.RemoteSignal[Deal, str] = farcall.RemoteSignal("Shop.a")'
    )


def test_signals_with_texts_stand_apart() -> None:
    """Signals are separated by empty lines if one has a docstring."""
    signals = (SignalSpec("a", "Shop.a", INT, doc="First."), SignalSpec("b", "Shop.b", INT))

    assert lines(signals=signals)[1:] == [
        '    a: farcall.RemoteSignal[int] = farcall.RemoteSignal("Shop.a")',
        '    """First."""',
        "",
        '    b: farcall.RemoteSignal[int] = farcall.RemoteSignal("Shop.b")',
    ]


def test_what_a_member_hides_goes_by_another_name() -> None:
    """A method called farcall makes the module import farcall by another name."""
    method = MethodSpec("farcall", "Shop.farcall", (), Ref("SoldOut"), ("SoldOut",))
    spec = ServiceSpec(
        "Shop",
        "Shop",
        (method,),
        (SignalSpec("SoldOut", "Shop.SoldOut", NONE),),
        (RecordSpec("SoldOut", "error", ()),),
    )

    text = proxy(spec, "abc", Names(spec))

    assert '@farcall_.endpoint("Shop.farcall", raises=[SoldOut_])' in text
    assert "async def farcall(self) -> SoldOut_:" in text
