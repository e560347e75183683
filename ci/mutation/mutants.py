"""Mutants of C source, made from its syntax tree: each is one small change, as a slip of the pen would make it."""
import hashlib
import pathlib
import re
from dataclasses import dataclass, field

from clang import cindex
from clang.cindex import CursorKind as Kind
from clang.cindex import TokenKind, TypeKind

RELATIONAL = {"<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"], "==": ["!="], "!=": ["=="]}
BOOLEAN = {"&&": ["||"], "||": ["&&"]}
ARITHMETIC = {"+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["/"], "&": ["|"], "|": ["&"], "^": ["|"]}
SHIFT = {"<<": [">>"], ">>": ["<<"]}
UPDATE = {f"{op}=": [f"{other}=" for other in others] for op, others in (ARITHMETIC | SHIFT).items()}
OPERATORS = {"relational": RELATIONAL, "boolean": BOOLEAN, "arithmetic": ARITHMETIC, "shift": SHIFT, "update": UPDATE}

# Which operand may stand for the whole of an expression: a lost term.
LOST_TERM = {"&&": "lr", "||": "lr", "+": "lr", "|": "lr", "-": "l", "*": "lr", "/": "l", "%": "l", "&": "lr", "<<": "l",
             ">>": "l"}

NARROWER = {"size_t": ["uint32_t", "uint16_t"], "uint64_t": ["uint32_t"], "uintptr_t": ["uint32_t"],
            "ptrdiff_t": ["int32_t"], "unsigned": ["uint16_t", "uint8_t"], "uint32_t": ["uint16_t"],
            "uint16_t": ["uint8_t"], "int": ["int8_t"]}

INTEGERS = {TypeKind.INT, TypeKind.UINT, TypeKind.LONG, TypeKind.ULONG, TypeKind.LONGLONG, TypeKind.ULONGLONG,
            TypeKind.USHORT, TypeKind.SHORT, TypeKind.UCHAR}

# What an allocator promises is no code of its own: to promise less is no bug.
PROMISES = re.compile(r"(alloc_ops|kernel_ops)\b")
PROMISE_MACROS = re.compile(r"_(OPS|CONTRACT|PROMISES)$")

LITERAL = re.compile(rb"(0[xX][0-9a-fA-F]+|[0-9]+)([uUlL]*)")


@dataclass(frozen=True)
class Mutant:
    """The bytes from `start` to `end` of a file become `text`. `before` and `after` are the lines that the change touches,
    without the blanks around and between; with file and function they name the mutant, whatever line it stands in."""
    path: str
    function: str
    kind: str
    start: int
    end: int
    text: bytes
    line: int
    column: int
    before: str
    after: str
    name: str = field(default="")

    @property
    def key(self):
        return self.path, self.function, self.before, self.after

    @property
    def place(self):
        return f"{self.path}:{self.line}:{self.column}"

    def source(self, original):
        # Lines keep their numbers: assertions tell them.
        lost = original[self.start:self.end].count(b"\n") - self.text.count(b"\n")
        return original[:self.start] + self.text + b"\n" * lost + original[self.end:]


def squeeze(text):
    return " ".join(text.decode().split())


class Maker:
    """Walks the tree of one file and collects its mutants."""

    def __init__(self, root, path, flags):
        self.path = path
        self.file = str(pathlib.Path(root, path))
        self.source = pathlib.Path(self.file).read_bytes()
        unit = cindex.Index.create().parse(
            self.file, args=flags, options=cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD)
        errors = [str(d) for d in unit.diagnostics if d.severity >= cindex.Diagnostic.Error]
        if errors:
            raise ValueError(errors[0])
        self.unit = unit
        self.function = ""
        self.edits = {}  # (start, end, text): the mutant
        self.names = {}

    def make(self):
        for cursor in self.unit.cursor.get_children():
            place = cursor.location.file
            if not place or place.name != self.file:
                continue
            if cursor.kind == Kind.MACRO_DEFINITION:
                self.macro(cursor)
            elif cursor.kind == Kind.FUNCTION_DECL and cursor.is_definition():
                self.function = cursor.spelling
                self.walk(cursor, None)
            elif cursor.kind == Kind.STRUCT_DECL:
                self.function = f"struct {cursor.spelling}"
                self.walk(cursor, None)
            elif cursor.kind == Kind.VAR_DECL and not PROMISES.search(cursor.type.spelling):
                self.function = cursor.spelling
                self.walk(cursor, None)
            elif cursor.kind == Kind.ENUM_DECL:
                self.function = f"enum {cursor.spelling}"
                self.walk(cursor, None)
        return list(self.edits.values())

    # ---- Helpers -----------------------------------------------------------------------------------------------------

    def text(self, cursor):
        return self.source[cursor.extent.start.offset:cursor.extent.end.offset]

    def add(self, kind, start, end, text):
        if isinstance(text, str):
            text = text.encode()
        if self.source[start:end] == text or (start, end, text) in self.edits:
            return
        head = self.source.rfind(b"\n", 0, start) + 1
        tail = self.source.find(b"\n", end)
        before = squeeze(self.source[head:tail])
        after = squeeze(self.source[head:start] + text + self.source[end:tail])
        key = (self.path, self.function, before, after)
        self.names[key] = self.names.get(key, 0) + 1
        name = hashlib.sha256("\n".join([*key, str(self.names[key])]).encode()).hexdigest()[:12]
        line = self.source.count(b"\n", 0, start) + 1
        self.edits[start, end, text] = Mutant(self.path, self.function, kind, start, end, text, line, start - head + 1,
                                              before, after, name)

    def replace(self, kind, cursor, text):
        self.add(kind, cursor.extent.start.offset, cursor.extent.end.offset, text)

    def between(self, left, right):
        """The operator between two operands and where it is; None if a macro hides it."""
        start, end = left.extent.end.offset, right.extent.start.offset
        found = re.fullmatch(rb"\s*([-+*/%&|^<>=!]+)\s*", self.source[start:end]) if start < end else None
        return (found[1].decode(), start + found.start(1), start + found.end(1)) if found else (None, 0, 0)

    def swap_operator(self, op, start, end):
        for kind, table in OPERATORS.items():
            for other in table.get(op, []):
                self.add(kind, start, end, other)

    # ---- The tree ----------------------------------------------------------------------------------------------------

    def walk(self, cursor, parent):
        children = list(cursor.get_children())
        visit = getattr(self, f"on_{cursor.kind.name.lower()}", None)
        if visit:
            visit(cursor, children)
        if cursor.kind == Kind.COMPOUND_STMT:
            for child in children:
                is_end = parent is not None and parent.kind == Kind.FUNCTION_DECL and child == children[-1]
                self.statement(child, is_end)
        elif cursor.kind in (Kind.IF_STMT, Kind.WHILE_STMT, Kind.FOR_STMT):
            for child in children[1:] if cursor.kind == Kind.IF_STMT else children[-1:]:
                self.statement(child, False)
        elif cursor.kind in (Kind.CASE_STMT, Kind.DEFAULT_STMT) and children:
            self.statement(children[-1], False)
        for child in children:
            self.walk(child, cursor)

    def statement(self, cursor, is_end):
        """A statement, or an assignment, that was forgotten."""
        kinds = {Kind.CALL_EXPR: "removed call", Kind.COMPOUND_ASSIGNMENT_OPERATOR: "lost update",
                 Kind.UNARY_OPERATOR: "lost update", Kind.BINARY_OPERATOR: "lost update",
                 Kind.BREAK_STMT: "removed statement", Kind.CONTINUE_STMT: "removed statement"}
        if cursor.kind == Kind.RETURN_STMT and not is_end:
            self.replace("removed statement", cursor, "(void)0")
        elif cursor.kind in kinds:
            self.replace(kinds[cursor.kind], cursor, "(void)0")

    def on_integer_literal(self, cursor, _):
        found = LITERAL.fullmatch(self.text(cursor))
        if not found:
            return
        value, suffix = int(found[1], 0) if not found[1].isdigit() else int(found[1]), found[2].decode()
        self.replace("constant", cursor, f"{value + 1}{suffix}")
        if value:
            self.replace("constant", cursor, f"{value - 1}{suffix}")

    def on_decl_ref_expr(self, cursor, _):
        """An enumerator in place of which the next one stands."""
        target = cursor.referenced
        if target is None or target.kind != Kind.ENUM_CONSTANT_DECL or self.text(cursor) != target.spelling.encode():
            return
        names = [child.spelling for child in target.semantic_parent.get_children()]
        self.replace("constant", cursor, names[(names.index(target.spelling) + 1) % len(names)])

    def on_binary_operator(self, cursor, children):
        if len(children) != 2:
            return
        left, right = children
        op, start, end = self.between(left, right)
        if not op:
            return
        self.swap_operator(op, start, end)
        kept = LOST_TERM.get(op, "")
        if "l" in kept:
            self.replace("lost term", cursor, b"(" + self.text(left) + b")")
        if "r" in kept:
            self.replace("lost term", cursor, b"(" + self.text(right) + b")")
        if op in SHIFT:
            for delta in ("+", "-"):
                self.replace("off-by-one shift", right, b"(" + self.text(right) + f" {delta} 1)".encode())

    def on_compound_assignment_operator(self, cursor, children):
        if len(children) != 2:
            return
        op, start, end = self.between(*children)
        if op:
            self.swap_operator(op, start, end)
            self.add("update", start, end, "=")

    def on_unary_operator(self, cursor, children):
        if len(children) != 1:
            return
        start, end = cursor.extent.start.offset, cursor.extent.end.offset
        inner = children[0].extent
        prefix = self.source[start:inner.start.offset].strip()
        postfix = self.source[inner.end.offset:end].strip()
        if prefix in (b"!", b"-", b"~"):
            self.add("negated condition" if prefix == b"!" else "arithmetic", start, inner.start.offset, " ")
        elif prefix in (b"++", b"--"):
            self.add("update", start, inner.start.offset, "--" if prefix == b"++" else "++")
        elif postfix in (b"++", b"--"):
            self.add("update", inner.end.offset, end, "--" if postfix == b"++" else "++")

    def condition(self, cursor, loop):
        text = self.text(cursor)
        if not text:
            return
        if not loop:
            self.replace("negated condition", cursor, b"!(" + text + b")")
            self.replace("condition always true", cursor, "1")
        self.replace("condition always false", cursor, "0")

    def on_if_stmt(self, _, children):
        self.condition(children[0], loop=False)

    def on_while_stmt(self, _, children):
        self.condition(children[0], loop=True)

    def on_conditional_operator(self, cursor, children):
        if len(children) != 3:
            return
        _, yes, no = children
        self.replace("condition always true", cursor, b"(" + self.text(yes) + b")")
        self.replace("condition always false", cursor, b"(" + self.text(no) + b")")

    def on_call_expr(self, cursor, _):
        """Two neighbouring arguments of one type that change places."""
        if self.text(cursor).startswith(b"__builtin_") and b"_overflow" in self.text(cursor):
            return
        arguments = list(cursor.get_arguments())
        for left, right in zip(arguments, arguments[1:]):
            types = [re.sub(r"\bconst ", "", a.type.get_canonical().spelling) for a in (left, right)]
            if types[0] == types[1] and left.extent.end.offset < right.extent.start.offset:
                gap = self.source[left.extent.end.offset:right.extent.start.offset]
                self.add("swapped arguments", left.extent.start.offset, right.extent.end.offset,
                         self.text(right) + gap + self.text(left))

    def on_return_stmt(self, cursor, children):
        if not children:
            return
        value = children[0]
        kind = value.type.get_canonical().kind
        result = self.result_kind
        if result == TypeKind.BOOL:
            self.replace("wrong result", value, "1")
            self.replace("wrong result", value, "0")
        elif result == TypeKind.POINTER:
            self.replace("wrong result", value, "0")
        elif result in INTEGERS and kind in INTEGERS:
            self.replace("wrong result", value, "0")
            self.replace("wrong result", value, b"(" + self.text(value) + b") + 1")

    def on_function_decl(self, cursor, _):
        self.result_kind = cursor.result_type.get_canonical().kind
        self.narrow(cursor)

    def on_init_list_expr(self, cursor, children):
        """A field that was not set."""
        for i, child in enumerate(children):
            start, end = child.extent.start.offset, child.extent.end.offset
            if not self.source[start:end].startswith(b"."):
                continue
            if i + 1 < len(children):
                self.add("lost update", start, children[i + 1].extent.start.offset, "")
            elif i:
                self.add("lost update", children[i - 1].extent.end.offset, end, "")
            else:
                self.add("lost update", start, end, "0")

    def narrow(self, cursor):
        """A type that is too small for what it is to hold."""
        start = cursor.extent.start.offset
        declaration = self.source[start:cursor.location.offset]
        found = re.search(rb"\b(" + b"|".join(t.encode() for t in NARROWER) + rb")\s+$", declaration)
        if found and b"*" not in declaration:
            for narrower in NARROWER[found[1].decode()]:
                self.add("wrong width", start + found.start(1), start + found.end(1), narrower)

    def on_var_decl(self, cursor, _):
        self.narrow(cursor)

    def on_parm_decl(self, cursor, _):
        self.narrow(cursor)

    def on_field_decl(self, cursor, _):
        self.narrow(cursor)

    # ---- Macros, which have tokens and no tree -----------------------------------------------------------------------

    def macro(self, cursor):
        self.function = f"#define {cursor.spelling}"
        tokens = list(cursor.get_tokens())[1:]
        if PROMISE_MACROS.search(cursor.spelling) or not tokens:
            return
        for token in tokens:
            start, end = token.extent.start.offset, token.extent.end.offset
            found = LITERAL.fullmatch(self.source[start:end]) if token.kind == TokenKind.LITERAL else None
            if found:
                value = int(found[1], 0)
                for other in {value + 1, max(value - 1, 0)}:
                    self.add("constant", start, end, f"{other}{found[2].decode()}")
            elif token.kind == TokenKind.PUNCTUATION and token != tokens[0]:
                self.swap_operator(token.spelling, start, end)


def mutants_of(root, path, flags):
    """All mutants of the file, in the order of their places."""
    made = Maker(root, path, flags).make()
    return sorted(made, key=lambda m: (m.start, m.end, m.text))
