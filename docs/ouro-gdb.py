# SPDX-License-Identifier: MIT
#
# ouro-gdb.py - tasks and their backtraces in gdb; see docs/debugging.md
#
#     (gdb) source docs/ouro-gdb.py
#     (gdb) ouro-tasks             list the tasks of the selected thread's loop
#     (gdb) ouro-bt                the same, each with its backtrace
#     (gdb) ouro-bt 3              one task, by its number in the list, its id or its name
#
# How it works: a task that waits has its program counter and stack pointer in its struct.
# gdb finds frames by asking unwinders for the caller of a frame. Ours claims the thread's
# innermost frame and says that its caller is where the task waits. So nothing is written
# to the process, and core dumps work as well.
import re

import gdb
import gdb.unwinder

TASK_STATES = ["runnable", "running", "waits", "ended"]  # enum task_state

# Those whose fd is worth telling: the names of their arguments in struct op.
FD_OPERATIONS = ["accept", "close", "connect", "poll", "recv", "send"]

# The registers in struct ouro_coro_context, by what gdb calls them.
REGISTERS = {
    "i386:x86-64": {"pc": "rip", "sp": "rsp", "fp": "rbp", "base": "rbx"},
    "aarch64": {"pc": "pc", "sp": "sp", "fp": "x29", "base": "x19"},
}


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class StackSwitch(gdb.unwinder.Unwinder):
    """Makes the selected thread's innermost frame look as if `context` had called it."""

    def __init__(self, context, registers):
        super().__init__("ouro-stack-switch")
        self.registers = registers
        self.values = {name: context[field] for field, name in registers.items()}
        frame = gdb.newest_frame()
        self.pc = int(frame.read_register(registers["pc"]))
        self.sp = int(frame.read_register(registers["sp"]))

    def __call__(self, pending_frame):
        def read(field):
            return pending_frame.read_register(self.registers[field])

        if int(read("pc")) != self.pc or int(read("sp")) != self.sp:
            return None
        # Stacks grow down, and gdb insists: the frame must seem to lie below the task's.
        task_sp = int(self.values[self.registers["sp"]])
        frame_id = FrameId(gdb.Value(task_sp - 128), gdb.Value(self.pc))
        info = pending_frame.create_unwind_info(frame_id)
        for name, value in self.values.items():
            info.add_saved_register(name, value.cast(pending_frame.read_register(name).type))
        return info


def backtrace(context):
    """The frames of a stack of execution that does not run, as gdb prints them."""
    architecture = gdb.newest_frame().architecture().name()
    if architecture not in REGISTERS:
        raise gdb.GdbError("ouro-bt does not know the architecture " + architecture)
    unwinder = StackSwitch(context, REGISTERS[architecture])
    gdb.unwinder.register_unwinder(None, unwinder, replace=True)
    gdb.invalidate_cached_frames()
    try:
        text = gdb.execute("backtrace", to_string=True)
    finally:
        unwinder.enabled = False
        gdb.invalidate_cached_frames()
    # The first frame is the thread's own. The others are renumbered to begin with #0.
    start = re.search(r"^#1 ", text, re.MULTILINE)
    if not start:
        return "    (no frames)\n"
    frames = re.sub(
        r"^#(\d+) ?( +)", lambda m: "#%d%s" % (int(m[1]) - 1, m[2]), text[start.start():],
        flags=re.MULTILINE)
    frames = frames.replace(" ouro.coro_", " ouro__coro_")  # gdb takes that name for Ada
    return "".join("    " + line + "\n" for line in frames.splitlines())


def same(pointer, other):
    return int(pointer) == int(other)


def operation_of(wait):
    """What the struct op around a struct wait is: "recv of fd 7"."""
    op = wait.cast(gdb.lookup_type("struct op").pointer()).dereference()  # its first member
    name = str(op["kind"])[len("OP_"):].lower()
    if name in FD_OPERATIONS:
        name += " of fd %d" % int(op["args"][name]["fd"])
    return name


class Task:
    """One struct ouro_task."""

    def __init__(self, number, struct, dispatcher):
        self.number = number
        self.struct = struct
        self.id = int(struct["slot"]["id"])
        self.name = struct["name"].string(errors="replace")
        self.place = struct["place"].string(errors="replace")
        self.state = TASK_STATES[int(struct["state"])]
        self.is_current = same(dispatcher["current"], struct.address)

    def waits_for(self):
        if self.state != "waits":
            return self.state
        try:
            wait = self.struct["wait"]
            name = wait["kind"]["name"].string(errors="replace")
            return "waits: " + (operation_of(wait) if name == "operation" else name)
        except gdb.MemoryError:
            return "waits (its stack is not in this core dump)"

    def line(self):
        flags = int(self.struct["flags"])
        return "task %d  id %d  \"%s\"  spawned at %s  %s%s\n" % (
            self.number, self.id, self.name, self.place, self.waits_for(),
            ", cancelled" if flags & 1 else "")

    def coros(self):
        """Whose frames there are: the innermost generator's first, the task's own last."""
        generator_type = gdb.lookup_type("struct ouro_coro").pointer()
        coro = self.struct["innermost"]
        own = self.struct["coro"].address
        while int(coro) and not same(coro, own):
            generator = coro.cast(generator_type)
            yield "coroutine \"%s\":\n" % generator["name"].string(errors="replace"), coro
            coro = coro["core"]["sender"].cast(coro.type)
        yield "", own

    def backtrace(self):
        if self.is_current:
            return "    (it runs now: see backtrace)\n"
        if self.state == "ended":
            return "    (ended)\n"
        text = ""
        for title, coro in self.coros():
            if text:
                text += "  sent to by\n"
            text += ("  " + title if title else "") + backtrace(coro["core"]["context"])
        return text


def tasks():
    """All tasks of the selected thread's loop, those that ended and are not joined included."""
    try:
        dispatcher = gdb.parse_and_eval("ouro__dispatcher")
    except gdb.error as error:
        raise gdb.GdbError("no ouro here that was built with -g: " + str(error))
    if not int(dispatcher):
        raise gdb.GdbError("this thread is in no loop; choose another with `thread N`")
    dispatcher = dispatcher.dereference()
    table = dispatcher["tasks"]
    slots = table["slots"]
    task_type = gdb.lookup_type("struct ouro_task").pointer()
    for index in range(int(table["slots_used"])):
        slot = slots + index * int(table["slot_bytes"])
        struct = slot.cast(task_type).dereference()
        if int(struct["slot"]["id"]):
            yield Task(index, struct, dispatcher)


def chosen(argument):
    found = [task for task in tasks()
             if argument in ("", str(task.number), str(task.id), task.name)]
    if not found:
        raise gdb.GdbError("no task \"%s\"" % argument if argument else "no tasks")
    return found


class ListTasks(gdb.Command):
    """List the tasks of the selected thread's loop.
Usage: ouro-tasks"""

    def __init__(self):
        super().__init__("ouro-tasks", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for task in chosen(""):
            gdb.write(task.line())


class BacktraceTasks(gdb.Command):
    """Print backtraces of the tasks of the selected thread's loop.
Usage: ouro-bt [TASK]
TASK is a number in the list of ouro-tasks, an id or a name; without it, all are printed."""

    def __init__(self):
        super().__init__("ouro-bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for task in chosen(argument.strip()):
            gdb.write(task.line())
            gdb.write(task.backtrace())


ListTasks()
BacktraceTasks()
