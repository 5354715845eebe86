//! Nothing that goes wrong in here may reach C++ otherwise than as a message: no panic, no overflown stack.

use std::any::Any;
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use std::sync::Once;
use std::thread;

/// A message never grows with the input.
const MESSAGE_CHARS_MAX: usize = 400;

/// Compiling recurses as deep as the grammar nests. Only touched pages take memory.
const COMPILE_STACK_BYTES: usize = 256 << 20;

/// A line that quotes the source (`12 | start: ...`) or points into it (`   ^`).
fn quotes_source(line: &str) -> bool {
    let quoted = line.split_once('|').is_some_and(|(number, _)| number.trim().parse::<u32>().is_ok());
    quoted || (line.contains('^') && line.chars().all(|c| c == '^' || c.is_whitespace()))
}

/// One line, bounded, without the dumps and excerpts that the library puts into its messages.
pub fn message(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let head = text.split("\n<").next().unwrap_or_default();
    let said: Vec<&str> = head.lines().filter(|line| !quotes_source(line)).collect();
    let line = said.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MESSAGE_CHARS_MAX {
        return line;
    }
    let cut: String = line.chars().take(MESSAGE_CHARS_MAX - 3).collect();
    cut + "..."
}

fn panic_message(panic: Box<dyn Any + Send>) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned());
    message(&format!("the grammar library failed on it: {}", text.unwrap_or_default()))
}

/// Runs `work`; a panic becomes an error, and prints nothing.
pub fn caught<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    static SILENCE: Once = Once::new();
    SILENCE.call_once(|| {
        // The library installs a hook of its own on first use, which takes a costly backtrace; ours must come after it.
        let _ = llguidance::panic_utils::catch_unwind(|| Ok(()));
        set_hook(Box::new(|_| {}));
    });
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panic_message(panic)))
}

/// Runs `work` on a thread with a deep stack, and waits for it.
pub fn on_deep_stack<T: Send>(work: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    thread::scope(|scope| {
        thread::Builder::new()
            .stack_size(COMPILE_STACK_BYTES)
            .spawn_scoped(scope, || caught(work))
            .map_err(|error| format!("no thread could be started to compile the grammar: {error}"))?
            .join()
            .unwrap_or_else(|panic| Err(panic_message(panic)))
    })
}
