//! Text of others', without power over who shows it.

use std::borrow::Cow;

/// The text on one line and without power over a terminal: control characters, line ends among
/// them, stand as escapes. A line that a CI would take for a command (`::error::`) cannot begin
/// within it.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        push(&mut escaped, character);
    }
    Cow::Owned(escaped)
}

/// Whether it moves a cursor, ends a line or turns the direction of writing.
pub fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Adds the character, or its escape.
pub fn push(text: &mut String, character: char) {
    if is_control(character) {
        text.extend(character.escape_default());
    } else {
        text.push(character);
    }
}
