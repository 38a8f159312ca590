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
    let text = include_str!("../../../gateway.toml");
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
        ("https://app.example.com:08443", "no port"),
        ("https://app.example.com:", "no port"),
        ("https://b\u{fc}cher.example", "other letters"),
    ] {
        let said =
            Config::from_text(&format!("origins = [\"{origin}\"]\n{LEAST}\n[anonymous]")).unwrap_err().to_string();
        assert!(said.contains(words), "{origin}: {said}");
    }
    for origin in ["http://localhost:8080", "http://[::1]", "http://[::1]:8080", "https://app.example.com"] {
        Config::from_text(&format!("origins = [{origin:?}]\n{LEAST}\n[anonymous]")).unwrap();
    }
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

/// What is told of a file with this in its cluster, and these tables behind.
fn error_of(cluster: &str, more: &str) -> String {
    let token = "[[tokens]]\nname = \"a\"\ntoken_file = \"t\"";
    let text = format!("listen = \"127.0.0.1:0\"\n[cluster]\n{cluster}\n{token}\n{more}");
    Config::from_text(&text).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn a_cluster_lies_where_it_may_be_connected_to() {
    for (name_server, networks, more, words) in [
        ("10.0.0.1:9876", "\"10.0.0.0/8\"", "", ""),
        ("[::ffff:10.0.0.1]:9876", "\"10.0.0.0/8\"", "", ""),
        ("mq.example.com:9876", "\"10.0.0.0/8\"", "", ""),
        ("127.0.0.1:9876", "\"loopback\"", "", ""),
        ("127.0.0.1:9876", "\"127.0.0.0/8\"", "", "write \"loopback\""),
        ("10.0.0.1:9876", "\"10.0.0.0/8\", \"169.254.0.0/16\"", "", "write \"link-local\""),
        ("10.0.0.1:9876", "\"10.0.0.0/8\", \"169.254.169.254\"", "", "write \"metadata\""),
        ("10.0.0.1:9876", "\"10.0.0.0/8\", \"224.0.0.0/4\"", "", "leave it out"),
        ("10.0.0.1:9876", "\"10.0.0.0/8\", \"64:ff9b:1::/48\"", "", "leave it out"),
        ("10.0.0.1:9876", "\"::ffff:10.0.0.0/104\"", "", "addresses of IPv4"),
        ("10.0.0.1:9876", "\"64:ff9b::/96\"", "", "addresses of IPv4"),
        ("10.0.0.1:9876", "\"10.0.0.1/8\"", "", "write 10.0.0.0/8 or 10.0.0.1"),
        ("10.0.0.1:9876", "\"192.168.0.0/16\"", "", "lies in no network"),
        ("127.0.0.1:9876", "\"0.0.0.0/0\"", "", "lies in no network"),
        ("10.0.0.1:9876", "", "", "there is no network"),
        ("10.0.0.1:9876", "\"10.0.0.0/8\"", "\"172.17.0.2:1\" = \"192.168.0.1:1\"", "cluster.reachable: 192.168.0.1:1"),
        ("10.0.0.1:9876", "\"10.0.0.0/8\"", "\"172.17.0.2:1\" = \"10.0.0.3:1\"", ""),
    ] {
        let cluster = format!("name_servers = [{name_server:?}]\nnetworks = [{networks}]\nreachable = {{ {more} }}");
        let said = error_of(&cluster, "");
        assert!(said.contains(words) && said.is_empty() == words.is_empty(), "{cluster}: {said}");
    }
}

#[test]
fn what_could_not_be_meant_is_told_what_to_write_instead() {
    let cluster = "name_servers = [\"10.0.0.1:9876\"]\nnetworks = [\"10.0.0.0/8\"]";
    let jwt = |more: &str| format!("[jwt]\nalgorithm = \"HS256\"\nkey_file = \"k\"\n{more}");
    for (more, words) in [
        ("topics = [\"orders-*\", \"*\"]\ngroups = []".to_owned(), ""),
        ("topics = [\"orders-*-eu\"]".to_owned(), "not at its end"),
        ("groups = [\"**\"]".to_owned(), "not at its end"),
        ("topics = [\"\"]".to_owned(), "is no name"),
        ("topics = [\"orders, bills\"]".to_owned(), "in quotes of its own"),
        ("topics = [\"%RETRY%shop\"]".to_owned(), "write the group's name"),
        (jwt("audience = \"gateway\""), ""),
        (jwt("audience = \"\""), "jwt.audience: it is empty"),
        (jwt("audience = \"gateway\"\nissuer = \"\""), "jwt.issuer: it is empty"),
        (jwt("audience = \"gateway\"\nadministrators = [\"\"]"), "jwt.administrators: it is empty"),
        (
            "[tls]\ncertificate_file = \"c\"\nkey_file = \"k\"\nclient_ca_file = \"a\"".to_owned(),
            "give [[certificates]]",
        ),
        ("[bounds]\ntrusted_proxies = [\"10.0.9.0/24\", \"fd00::1\"]".to_owned(), ""),
        ("[bounds]\ntrusted_proxies = [\"0.0.0.0/0\"]".to_owned(), "everybody would be a proxy"),
        ("[bounds]\ntrusted_proxies = [\"0.0.0.0/1\", \"128.0.0.0/1\"]".to_owned(), "everybody would be a proxy"),
        ("[bounds]\ntrusted_proxies = [\"2000::/3\"]".to_owned(), "everybody would be a proxy"),
        ("[bounds]\ntrusted_proxies = [\"::ffff:10.0.9.0/120\"]".to_owned(), "addresses of IPv4"),
    ] {
        let said = error_of(cluster, &more);
        assert!(said.contains(words) && said.is_empty() == words.is_empty(), "{more}: {said}");
    }
}

#[test]
fn a_door_without_tls_that_others_reach_is_warned_of() {
    let at = |listen: &str, more: &str| {
        let text = LEAST.replace("127.0.0.1:0", listen);
        Config::from_text(&format!("{text}\n[[tokens]]\nname = \"a\"\ntoken_file = \"t\"\n{more}")).unwrap().warnings()
    };
    assert_eq!(at("127.0.0.1:80", ""), [] as [&str; 0]);
    assert_eq!(at("[::1]:80", ""), [] as [&str; 0]);
    assert_eq!(at("0.0.0.0:443", "[tls]\ncertificate_file = \"c\"\nkey_file = \"k\""), [] as [&str; 0]);
    assert!(at("0.0.0.0:80", "")[0].contains("without TLS"));
}

#[test]
fn topics_and_groups_are_given_together() {
    for table in [
        "[anonymous]",
        "[[tokens]]\nname = \"a\"\ntoken_file = \"t\"",
        "[[certificates]]\nname = \"a\"\nsha256 = \"00\"",
    ] {
        let said = |lists: &str| {
            let more = format!(
                "[tls]\ncertificate_file = \"c\"\nkey_file = \"k\"\nclient_ca_file = \"a\"\n\
                 [[certificates]]\nname = \"b\"\nsha256 = \"11\"\n{table}\n{lists}"
            );
            let text = format!("origins = [\"https://app.example.com\"]\n{LEAST}\n{more}");
            Config::from_text(&text).err().map(|error| error.to_string()).unwrap_or_default()
        };
        let groups_missing = said("topics = [\"orders\"]");
        assert!(groups_missing.contains("topics but no groups"), "{table}: {groups_missing}");
        assert!(groups_missing.contains("write groups = [\"…\"], or groups = [\"*\"]"), "{groups_missing}");
        let topics_missing = said("groups = [\"shop\"]");
        assert!(topics_missing.contains("write topics = [\"…\"], or topics = [\"*\"]"), "{table}: {topics_missing}");
        for lists in ["", "topics = [\"orders\"]\ngroups = []", "topics = [\"*\"]\ngroups = [\"shop\"]"] {
            assert_eq!(said(lists), "", "{table}: {lists}");
        }
    }
}

#[test]
fn an_address_to_listen_at_is_an_ip_address_with_a_port_and_is_used_once() {
    let at = |listen: &str, more: &str| {
        let text = LEAST.replace("\"127.0.0.1:0\"", listen);
        let text = format!("{text}\n[[tokens]]\nname = \"a\"\ntoken_file = \"t\"\n{more}");
        Config::from_text(&text).err().map(|error| error.to_string()).unwrap_or_default()
    };
    for listen in ["\"8443\"", "8443", "\":8443\"", "\"localhost:8443\"", "\"10.0.0.1\""] {
        let said = at(listen, "");
        assert!(said.contains("write \"0.0.0.0:8443\""), "{listen}: {said}");
    }
    let said = at("\"127.0.0.1:0\"", "[operation]\nlisten = \"9100\"");
    assert!(said.contains("write \"0.0.0.0:9100\""), "{said}");
    let said = at("\"127.0.0.1:9100\"", "[operation]\nlisten = \"127.0.0.1:9100\"");
    assert!(said.contains("operation.listen: 127.0.0.1:9100 is also `listen`"), "{said}");
    assert_eq!(at("\"127.0.0.1:0\"", "[operation]\nlisten = \"127.0.0.1:0\""), "");
    let apart = format!("{LEAST}\n[[tokens]]\nname = \"a\"\ntoken_file = \"t\"");
    let same = "127.0.0.1:9100".parse().ok();
    assert!(Config::from_text(&apart).unwrap().listening(same, same).is_err());
}

#[test]
fn what_should_be_a_list_is_told_how_lists_are_written() {
    let said = error("origins = \"https://app.example.com\" # the shop");
    assert!(said.contains("write a list: origins = [\"https://app.example.com\"]"), "{said}");
    let said = error_behind("[tokens]\nname = \"a\"\ntoken_file = \"t\"");
    assert!(said.contains("write [[tokens]]"), "{said}");
    let said = error_behind("[anonymous]\ntopics = \"prices\"");
    assert!(said.contains("write a list: topics = [\"prices\"]"), "{said}");
    let said = error_behind("[bounds]\ntrusted_proxies = \"10.0.9.1\"");
    assert!(said.contains("write a list: trusted_proxies = [\"10.0.9.1\"]"), "{said}");
}

#[test]
fn a_file_that_is_missing_is_told_with_its_key() {
    let token = "[[tokens]]\nname = \"a\"\ntoken_file = \"/nowhere/t\"";
    let tls = "[tls]\ncertificate_file = \"/nowhere/c\"\nkey_file = \"/nowhere/k\"";
    let jwt = "[jwt]\nalgorithm = \"EdDSA\"\naudience = \"gateway\"\nkey_file = \"/nowhere/j\"";
    for (more, words) in [
        (token, "tokens \"a\": token_file: /nowhere/t: "),
        (&*format!("{token}\n{tls}"), "tls.key_file: /nowhere/k: "),
        (jwt, "jwt.key_file: /nowhere/j: "),
    ] {
        let config = Config::from_text(&format!("{LEAST}\n{more}")).unwrap();
        let said = config.check_files().unwrap_err().to_string();
        assert!(said.starts_with(words), "{said}");
    }
}
