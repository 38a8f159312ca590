//! The requests of one seed.

use bytes::BytesMut;
use stgclient_core::random::Random;
use stgclient_core::wire::command::HeaderCodec;
use stgclient_core::wire::message::batch;

use crate::apache::CLIENTS;
use crate::request::{self, OWN_UNIQUE, Request, Server};
use crate::templates::{ODD, ODD_NAMES, TEMPLATES, Template};

/// How many requests a seed has.
const LENGTH: usize = 80;

/// What a seed asks, one after the other.
pub(crate) struct Sequence {
    seed: u64,
    random: Random,
    left: usize,
    /// How many messages were sent, of this seed and of those before.
    sent: u64,
    before: u64,
    unique: u64,
}

impl Sequence {
    pub(crate) fn new(seed: u64, before: u64) -> Self {
        Self { seed, random: Random::new(seed), left: LENGTH, sent: 0, before, unique: 0 }
    }

    pub(crate) fn next(&mut self) -> Option<Request> {
        self.left = self.left.checked_sub(1)?;
        if let Some(request) = self.prologue(LENGTH - self.left - 1) {
            return Some(request);
        }
        let template = self.template();
        let client = self.random.below(CLIENTS as u64) as usize;
        let mut fields: Vec<(String, String)> = Vec::new();
        let odd = if self.random.below(4) == 0 {
            self.random.below(template.fields.len() as u64 + 1) as usize
        } else {
            usize::MAX
        };
        for (index, (name, values)) in template.fields.iter().enumerate() {
            let value = if index == odd { self.odd(template, name, values) } else { self.one_of(values) };
            if value != "~" {
                fields.push(((*name).to_owned(), self.filled(value, client)));
            }
        }
        let body = template.bodies[self.random.below(template.bodies.len() as u64) as usize];
        let body = if body == "@batch" { self.batch() } else { self.filled(body, client).into_bytes() };
        let codec = if self.random.below(4) == 0 { HeaderCodec::Binary } else { HeaderCodec::Json };
        if request::sends(template.code) {
            self.sent += 1;
        }
        Some(Request { server: template.server, client, code: template.code, fields, body, codec })
    }

    /// How many messages were sent.
    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    /// The topics that the others are about: three of four queues, of one, and one that only the name server still knows.
    fn prologue(&self, step: usize) -> Option<Request> {
        let (code, topic, queues) = match step {
            0 => (17, "{T}", "4"),
            1 => (17, "{U}", "4"),
            2 => (17, "{W}", "1"),
            3 => (17, "{X}", "1"),
            4 => (215, "{X}", "1"),
            _ => return None,
        };
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = vec![
            field("topic", &self.name(topic)),
            field("defaultTopic", "TBW102"),
            field("readQueueNums", queues),
            field("writeQueueNums", queues),
            field("perm", "6"),
            field("topicFilterType", "SINGLE_TAG"),
            field("topicSysFlag", "0"),
            field("order", "false"),
        ];
        Some(Request { server: Server::Broker, client: 0, code, fields, body: Vec::new(), codec: HeaderCodec::Json })
    }

    /// What stands in the place of a field's usual values, but for what is left to chance or to time where Apache's servers run.
    fn odd(&mut self, template: &Template, name: &str, values: &str) -> &'static str {
        let is_name = values.contains('{') || name.to_lowercase().contains("topic");
        let odd_ones = if is_name && self.random.below(4) > 0 { ODD_NAMES } else { ODD };
        let odd = odd_ones[self.random.below(odd_ones.len() as u64) as usize];
        match odd {
            // A broker registers again every so often what is deleted only in name servers.
            _ if template.code == 216 && name == "topic" => "~",
            _ if values == "{W}" => "",
            // Fewer than no queues.
            "-1" | "-9223372036854775808" if name.ends_with("QueueNums") => "x",
            // Those of transactions.
            "-1" if matches!(name, "sysFlag" | "f") => "x",
            // A topic of such a name would become an ordered one, some time.
            _ if template.code == 100 && name == "key" => "",
            // A pull that is to commit what it does not say is not answered at all.
            "" | "~" if name == "commitOffset" && template.code != 15 => "x",
            // Which Apache's minds once the group has pulled by a subscription that it has sent before.
            "~" if template.code == 345 && name == "topic" => "x",
            // Any queue is the server's choice.
            "-1" if request::sends(template.code) => "x",
            // Between messages anything lies.
            "+1" if name == "offset" => "x",
            odd => odd,
        }
    }

    fn template(&mut self) -> &'static Template {
        let total: u64 = TEMPLATES.iter().map(|template| template.weight).sum();
        let mut place = self.random.below(total);
        for template in TEMPLATES {
            match place.checked_sub(template.weight) {
                Some(rest) => place = rest,
                None => return template,
            }
        }
        unreachable!("the weights are all of the total")
    }

    fn one_of(&mut self, values: &'static str) -> &'static str {
        let parted: Vec<&str> = values.split('¦').collect();
        parted[self.random.below(parted.len() as u64) as usize]
    }

    fn name(&self, text: &str) -> String {
        let seed = self.seed;
        text.replace("{T}", &format!("t{seed}"))
            .replace("{U}", &format!("u{seed}"))
            .replace("{V}", &format!("v{seed}"))
            .replace("{W}", &format!("w{seed}"))
            .replace("{X}", &format!("x{seed}"))
            .replace("{G}", &format!("g{seed}"))
            .replace("{H}", &format!("h{seed}"))
            .replace("{P}", &format!("p{seed}"))
            .replace("{LONG}", &"l".repeat(128))
            .replace("{LONGER}", &"l".repeat(256))
    }

    fn filled(&mut self, text: &str, client: usize) -> String {
        let mut text = self.name(text).replace("{C}", &format!("client-{}-{client}", self.seed));
        for token in ["{stored}", "{id}"] {
            let place = self.before + self.random.below(self.sent);
            text = text.replace(token, &format!("{}:{place}}}", token.trim_end_matches('}')));
        }
        if text.contains("{unique}") {
            self.unique += 1;
            text = text
                .replace("{unique}", &format!("{OWN_UNIQUE}{:08X}{:016X}", self.seed, self.random.below(self.unique)));
        }
        text
    }

    fn batch(&mut self) -> Vec<u8> {
        let mut body = BytesMut::new();
        for index in 0..=self.random.below(3) {
            let properties = ["", "TAGS\u{1}a\u{2}", "KEYS\u{1}k1\u{2}TAGS\u{1}b"][self.random.below(3) as usize];
            batch::encode(&mut body, index as i32, properties, format!("record {index}").as_bytes())
                .expect("it is short");
        }
        body.to_vec()
    }
}
