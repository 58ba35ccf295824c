//! Who sits at the keyboard.

/// Who asks, for logs and marks.
pub(crate) fn user() -> String {
    let user = ["USER", "USERNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    let user: String = user.chars().filter(char::is_ascii_graphic).take(100).collect();
    if user.is_empty() { "the millpond command".to_owned() } else { user }
}
