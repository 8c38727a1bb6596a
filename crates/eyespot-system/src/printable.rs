//! Names from outside in messages.

use std::path::Path;

/// Characters of a name that are shown.
const SHOWN: usize = 200;

/// A name (of a file, a class, a tensor, a program) as it may stand in a message: on one line, cut at 200 characters, with
/// control and formatting characters escaped. A name could otherwise move the cursor, change colours or forge whole
/// lines. Never for JSON or CSV, which quote exactly.
///
/// ```
/// use eyespot_system::printable;
/// assert_eq!(printable("ants\u{1b}[2K\nerror: none"), "ants\\u{1b}[2K\\nerror: none");
/// assert_eq!(printable("Bläuling 蝶"), "Bläuling 蝶");
/// ```
pub fn printable(name: &str) -> String {
    let mut shown = String::new();
    for (index, character) in name.chars().enumerate() {
        if index == SHOWN {
            shown.push('…');
            break;
        }
        if is_harmful(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// [`printable`] for a path. Bytes that aren't Unicode are shown as `�`.
pub fn printable_path(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

/// [`printable`] line by line, for a message of several lines with parts of a file in it, such as a parser's.
///
/// ```
/// assert_eq!(eyespot_system::printable_lines("line 2:\n\u{1b}[2Jkey"), "line 2:\n\\u{1b}[2Jkey");
/// ```
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Control characters, line and paragraph separators, and Unicode's invisible marks, some of which reverse the text
/// that follows (Trojan Source, CVE-2021-42574).
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        for (name, shown) in [
            ("a\tb", "a\\tb"),
            ("a\r\nb", "a\\r\\nb"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}gpj", "\\u{202e}gpj"),
            ("a\u{2028}b", "a\\u{2028}b"),
        ] {
            assert_eq!(printable(name), shown);
        }
    }

    #[test]
    fn long_names_are_cut_at_200_characters() {
        assert_eq!(printable(&"ä".repeat(200)), "ä".repeat(200));
        assert_eq!(printable(&"ä".repeat(201)), "ä".repeat(200) + "…");
    }
}
