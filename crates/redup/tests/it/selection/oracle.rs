//! Selection options that nobody thought of: random ones, on random trees, typed at redup and at duplicity
//! 3.2.1.
//!
//! duplicity takes long to start. So each run holds several cases at once: every case has a folder of its own,
//! which its patterns begin with.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use redup_testkit::env::{Program, TestEnv};
use redup_testkit::faulty::Random;
use redup_testkit::log;
use redup_testkit::run::run;

use super::text;
use crate::{duplicity, redup};

/// Runs of this many cases each. More with `REDUP_SELECTION_RUNS`.
const RUNS: u64 = 12;
const CASES: usize = 8;

/// Between the two times that files of the trees have.
const BETWEEN: &str = "1650000000";

const NAMES: &[&str] = &[
    "a", "b", "ab", "A", "aa", "a b", "[x]", "*", "a?", "é", "É", "ß", "SS", ".hid", "a-",
    "foo.py", "Foo.PY", "x", "^", "a\\b", "-", "+ a", "# c", "q'q", "\"dq\"", " lead", "trail ",
];

const REGEXPS: &[&str] = &[
    r"\.py$",
    r"(?i)foo",
    r"a(?!b)",
    r"(?<=a)b$",
    r"(.)\1$",
    r"(?P<n>a).*(?P=n)$",
    r"/(a|b)+$",
    r"\bfoo\b",
    r"[A-Z]$",
    r"\w+\.\w+$",
    r"é",
    r"a$",
    r"\\",
    r"x|y",
    r"/\.hid",
    r"\s",
    r"[\d-]$",
    r"a{2}",
    r"(?x) a  b $",
    r"ß|ss",
    r"^[^/]*/a",
];

#[test]
fn random_options_select_what_duplicity_selects() {
    let more = std::env::var("REDUP_SELECTION_RUNS").ok();
    let runs = more.map_or(RUNS, |runs| runs.parse().unwrap());
    let mut refused = 0;
    for seed in 0..runs {
        let env = TestEnv::new();
        let options = Cases::new(seed).make(&env.path(""));
        let [ours, theirs] =
            [redup(), duplicity()].map(|program| selected(&env, &program, &options));
        assert_eq!(
            ours, theirs,
            "seed {seed}, redup is left, duplicity right: {options:?}"
        );
        refused += u64::from(ours.is_err());
    }
    // In some cases a mode does not go with a pattern.
    assert!(refused <= runs / 3, "{refused} of {runs} were refused");
}

/// What a backup would store, or the exit status.
fn selected(env: &TestEnv, program: &Program, options: &[String]) -> Result<Vec<String>, i32> {
    let log = env.path("log");
    let mut command = env.bare(program);
    command
        .args(["full", "--dry-run", "--no-encryption", "-v5", "--log-file"])
        .arg(&log)
        .args(options)
        .args(["tree", &env.url]);
    let status = run(&mut command).status.code().unwrap();
    let text_of_log = fs::read_to_string(&log).unwrap();
    fs::remove_file(&log).unwrap();
    match status {
        0 => Ok(log::paths(&text_of_log, 4).iter().map(text).collect()),
        // An exception of duplicity's, at a set such as `[]-A]`; to us a pattern that cannot be read.
        30 => Err(15),
        status => Err(status),
    }
}

/// Cases that are being made.
struct Cases {
    random: Random,
    /// The paths of the case's tree.
    paths: Vec<String>,
    lists: u32,
}

impl Cases {
    fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            paths: Vec::new(),
            lists: 0,
        }
    }

    /// Makes the tree and the lists of files in `dir`; returns the options.
    fn make(mut self, dir: &Path) -> Vec<String> {
        let mut options = Vec::new();
        fs::create_dir(dir.join("tree")).unwrap();
        for case in 0..CASES {
            let folder = format!("tree/{case}");
            self.paths.clear();
            fs::create_dir(dir.join(&folder)).unwrap();
            self.fill(dir, &folder, 0);
            for _ in 0..1 + self.random.below(5) {
                self.option(dir, &folder, &mut options);
            }
            if self.one_in(2) {
                options.extend(["--exclude".to_owned(), format!("{folder}/**")]);
            }
        }
        // A selection must end neither with an include nor with a filter, and filters must not be all of the default.
        options.extend(["--filter-literal", "--exclude", "tree/none"].map(str::to_owned));
        options
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.random.below(chances) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.random.below(from.len() as u64) as usize]
    }

    fn fill(&mut self, dir: &Path, folder: &str, depth: u32) {
        for _ in 0..1 + self.random.below(5) {
            let path = format!("{folder}/{}", self.pick(NAMES));
            if self.paths.contains(&path) {
                continue;
            }
            let on_disk = dir.join(&path);
            match self.random.below(10) {
                0..=3 if depth < 3 => fs::create_dir(&on_disk).unwrap(),
                9 => symlink(self.pick(&["a", "nowhere", ".", "../b"]), &on_disk).unwrap(),
                _ => {
                    let age = 1_600_000_000 + self.random.below(2) * 100_000_000;
                    let file = File::create(&on_disk).unwrap();
                    file.set_modified(UNIX_EPOCH + Duration::from_secs(age))
                        .unwrap();
                }
            }
            self.paths.push(path.clone());
            if on_disk.is_dir() && !on_disk.is_symlink() {
                self.fill(dir, &path, depth + 1);
            }
        }
        if self.one_in(8) {
            fs::write(dir.join(folder).join(".nobackup"), "").unwrap();
        }
    }

    fn option(&mut self, dir: &Path, folder: &str, options: &mut Vec<String>) {
        let action = self.pick(&["include", "exclude"]);
        let words = match self.random.below(20) {
            0..=11 => [format!("--{action}"), self.pattern(folder)].to_vec(),
            12..=13 => {
                let regexp = self.pick(REGEXPS);
                [
                    format!("--{action}-regexp"),
                    format!("^{folder}/(?:.*){regexp}"),
                ]
                .to_vec()
            }
            14..=16 => {
                let name = format!("list{}", self.lists);
                self.lists += 1;
                let list = self.list(folder);
                fs::write(dir.join(&name), list).unwrap();
                [format!("--{action}-filelist"), name].to_vec()
            }
            17 => ["--exclude-if-present".to_owned(), ".nobackup".to_owned()].to_vec(),
            18 => ["--exclude-older-than".to_owned(), BETWEEN.to_owned()].to_vec(),
            _ => {
                let modes = ["globbing", "literal", "ignorecase", "strictcase"];
                [format!("--filter-{}", self.pick(&modes))].to_vec()
            }
        };
        // `(?i)` and its like stand at the beginning of an expression or not at all.
        let inline = words
            .last()
            .and_then(|word| Some((word.find("(?i)").or(word.find("(?x)"))?, word)));
        let words = match inline {
            Some((at, word)) => [
                words[0].clone(),
                format!("{}{}{}", &word[at..at + 4], &word[..at], &word[at + 4..]),
            ]
            .to_vec(),
            None => words,
        };
        options.extend(words);
    }

    /// A path of the tree with something in it replaced.
    fn pattern(&mut self, folder: &str) -> String {
        let at = self.random.below(self.paths.len().max(1) as u64) as usize;
        let Some(path) = self.paths.get(at).cloned() else {
            return format!("{folder}/**");
        };
        let inner = path
            .strip_prefix(folder)
            .unwrap()
            .trim_start_matches('/')
            .to_owned();
        let mut pattern = folder.to_owned();
        for name in inner.split('/') {
            pattern.push('/');
            self.component(name, &mut pattern);
        }
        match self.random.below(16) {
            0 | 1 => pattern.push('/'),
            2 => pattern.push_str("/**"),
            3 => pattern.push_str("/*"),
            4 => pattern.push_str("**//x"),
            5 => {
                pattern = format!(
                    "ignorecase:{}",
                    pattern.to_uppercase().replacen("TREE", "tree", 1)
                );
            }
            6 => pattern = format!("IgnoreCase:{pattern}"),
            _ => {}
        }
        pattern
    }

    fn component(&mut self, name: &str, pattern: &mut String) {
        let letters: Vec<char> = name.chars().collect();
        let at = self.random.below(letters.len() as u64) as usize;
        let letter = letters[at];
        let put = match self.random.below(16) {
            0 | 1 => return pattern.push('*'),
            2 => return pattern.push_str("**"),
            3 | 4 => "?".to_owned(),
            5 => "*".to_owned(),
            6 => "**".to_owned(),
            7 => format!("[{letter}-]"),
            8 => "[!a]".to_owned(),
            9 => "[^z]".to_owned(),
            10 => "[a-z]".to_owned(),
            11 => format!("[]{letter}]"),
            12 => "[".to_owned(),
            _ => return pattern.push_str(name),
        };
        for (place, letter) in letters.iter().enumerate() {
            match place == at {
                true => pattern.push_str(&put),
                false => pattern.push(*letter),
            }
        }
    }

    /// A list of files: signs, quotes, comments, white space.
    fn list(&mut self, folder: &str) -> String {
        let mut list = String::new();
        for _ in 0..self.random.below(5) {
            let pattern = self.pattern(folder);
            let sign = self.pick(&["", "", "+ ", "- "]);
            let quote = self.pick(&["", "", "", "'", "\""]);
            let [before, behind] = [self.pick(&["", "", "  "]), self.pick(&["", "", "  ", "\r"])];
            let comment = if self.one_in(10) { "# " } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(
                list,
                "{before}{comment}{sign}{quote}{pattern}{quote}{behind}"
            );
        }
        list
    }
}
