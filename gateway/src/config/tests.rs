//! What is taken of a file, and what is told of one that is not.

use super::*;

const LEAST: &str = r#"
    listen = "127.0.0.1:0"
    [cluster]
    name_servers = ["10.0.0.1:9876"]
    networks = ["10.0.0.0/8"]
"#;

fn error(more: &str) -> String {
    match Config::from_text(&format!("{more}\n{LEAST}")) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

fn error_behind(more: &str) -> String {
    match Config::from_text(&format!("{LEAST}\n{more}")) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

/// What is commented out there, and is no sentence, is as right as the rest.
#[test]
fn the_file_that_shows_all_keys_is_right_and_shows_the_defaults() {
    let text = include_str!("../../gateway.toml");
    let shown = Config::from_text(text).unwrap();
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key)
                if key.starts_with('[')
                    || key.starts_with('"')
                    || key.split_once(" = ").is_some_and(|(name, _)| !name.contains(' ')) =>
            {
                key
            }
            _ => line,
        })
        .collect();
    let all = Config::from_text(&uncommented.join("\n")).unwrap();
    assert!(all.jwt.is_some() && all.anonymous.is_some() && all.cluster.tls.is_some() && all.certificates.len() == 1);
    let bounds = Bounds { trusted_proxies: all.bounds.trusted_proxies.clone(), ..Bounds::default() };
    assert_eq!(format!("{:?}", all.bounds), format!("{bounds:?}"));
    assert_eq!(format!("{:?}", shown.bounds), format!("{:?}", Bounds::default()));
    let keys = format!("{bounds:?}").matches(": ").count();
    let shown = text.split("[bounds]").nth(1).unwrap().split("[operation]").next().unwrap();
    assert_eq!(shown.matches(" = ").count(), keys, "every bound is shown");
}

#[test]
fn a_gateway_that_lets_nobody_in_is_no_gateway() {
    assert!(error("").contains("nobody may come in"));
    assert!(error_behind("[anonymous]").contains("needs an origin"));
    assert_eq!(error_behind("[[tokens]]\nname = \"shop\"\ntoken_file = \"t\""), "");
}

#[test]
fn origins_are_written_as_browsers_write_them() {
    for (origin, words) in [
        ("*", "every page of the world"),
        ("null", "every page of the world"),
        ("app.example.com", "with its scheme"),
        ("https://app.example.com/", "without a path"),
        ("https://*.example.com", "without a path"),
        ("https://App.example.com", "small letters"),
        ("https://app.example.com:443", "own port"),
    ] {
        let said =
            Config::from_text(&format!("origins = [\"{origin}\"]\n{LEAST}\n[anonymous]")).unwrap_err().to_string();
        assert!(said.contains(words), "{origin}: {said}");
    }
    Config::from_text(&format!("origins = [\"http://localhost:8080\"]\n{LEAST}\n[anonymous]")).unwrap();
}

#[test]
fn a_key_that_nobody_knows_is_told_with_those_that_are_known() {
    let said = error("orgins = []");
    assert!(said.contains("orgins") && said.contains("`origins`"), "{said}");
    let said = error_behind("[[tokens]]\nname = \"shop\"\ntoken_file = \"t\"\ntopic = [\"orders\"]");
    assert!(said.contains("topic"), "{said}");
}

#[test]
fn bounds_that_bound_nothing_or_everything_are_refused() {
    for (bound, words) in [
        ("handshake_seconds = 0", "not above 0"),
        ("handshake_seconds = nan", "not above 0"),
        ("connections = 0", "less than 1"),
        ("ping_seconds = 90", "less than idle_seconds"),
        ("message_bytes = 7", "less than 1024"),
    ] {
        let said = error_behind(&format!("[[tokens]]\nname = \"a\"\ntoken_file = \"t\"\n[bounds]\n{bound}"));
        assert!(said.contains(words), "{bound}: {said}");
    }
}
