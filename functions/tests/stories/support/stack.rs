//! A stack of its own on the emulators, the functions on it, and what AWS does between them.

use std::{collections::BTreeMap, env, fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use archive::ports::{Catalog as _, Expect};
use aws::{DynamoCatalog, SystemClock, SystemRandom};
use functions::environment::NEEDS;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Faults, Function, Manner, Outcome, Rights, Way, gateway, mapping::Mapping, transfer};
use crate::arrival::{Half, until};

/// What is special about a stack.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// How events of each queue are delivered.
    pub(crate) uploads: Manner,
    pub(crate) imports: Manner,
    pub(crate) tasks: Manner,
    /// Import functions at a time.
    pub(crate) importers: usize,
    /// What one invocation of `import` may take.
    pub(crate) import_time: Duration,
    /// What one invocation of `restructure` may take, which does the tasks.
    pub(crate) task_time: Duration,
    /// On the functions' way to AWS.
    pub(crate) faults: Option<Arc<Faults>>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            uploads: Manner::default(),
            imports: Manner::default(),
            tasks: Manner::default(),
            importers: 1,
            import_time: Duration::from_mins(1),
            task_time: Duration::from_mins(1),
            faults: None,
        }
    }
}

pub(crate) struct Stack {
    runtime: Runtime,
    pub(crate) made: Arc<aws::testing::Stack>,
    functions: BTreeMap<&'static str, Arc<Function>>,
    /// Transfer Family, with Secrets Manager.
    pub(crate) transfer: transfer::Fake,
    gateway: String,
    /// What functions may write to, and the users' key.
    folder: TempDir,
}

impl Stack {
    pub(crate) fn start(plan: &Plan) -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("key.pub"), format!("{KEY} clara@example.org\n")).unwrap();
        let transfer = runtime.block_on(transfer::Fake::start(HOST_KEY_SECRET));
        let (made, functions, gateway) = runtime.block_on(set_up(plan, folder.path(), &transfer.address));
        Self { runtime, made, functions, transfer, gateway: gateway.to_string(), folder }
    }

    pub(crate) fn function(&self, name: &str) -> &Function {
        &self.functions[name]
    }

    pub(crate) fn block<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn invoke(&self, function: &str, payload: &Value) -> Outcome {
        self.block(self.function(function).invoke(payload))
    }

    /// Does what Scheduler does when the time of every schedule has come; answers which there are.
    pub(crate) fn tick(&self) -> Vec<aws::testing::Scheduled> {
        let schedules = self.block(self.made.scheduled()).unwrap();
        for schedule in schedules.iter().filter(|schedule| schedule.enabled) {
            let name = schedule.target.rsplit('-').next().unwrap();
            let outcome = self.invoke(name, &serde_json::from_str(&schedule.input).unwrap());
            assert!(matches!(outcome, Outcome::Answer(_)), "{schedule:?}: {outcome:?}");
        }
        schedules
    }

    /// What Transfer Family asks about a user who offers the key, and what it is told.
    fn login(&self, user: &str) -> Value {
        let asked = json!({ "username": user, "protocol": "SFTP", "serverId": "s-0123456789abcdef0", "sourceIp": "203.0.113.7" });
        match self.invoke("login", &asked) {
            Outcome::Answer(answer) => answer,
            other => panic!("login: {other:?}"),
        }
    }

    /// Puts a file where Transfer Family would, without asking.
    pub(crate) fn put(&self, key: &str, bytes: Vec<u8>) {
        self.block(self.made.put_upload(key, bytes)).unwrap();
    }

    /// Tells of an object as S3 does, whether or not it has told of it before.
    pub(crate) fn announce(&self, key: &str) {
        let record = json!({ "eventName": "ObjectCreated:Put", "s3": { "object": { "key": key } } });
        let body = json!({ "Records": [record] }).to_string();
        self.block(self.made.send(&self.made.queues().unwrap().uploads, &body)).unwrap();
    }

    /// The door was opened so many days earlier than it was: nobody here has that much time.
    pub(crate) fn let_door_age(&self, days: i64) {
        let clients = &self.made.clients;
        let catalog = DynamoCatalog::new(clients, &self.made.settings.table, Arc::new(SystemClock), &SystemRandom);
        let mut promise = self.block(catalog.load("door", "sftp")).unwrap().unwrap();
        let closes = promise.body["closes"].as_i64().unwrap() - days * 24 * 3600;
        promise.body["closes"] = closes.into();
        let saved = catalog.save("door", "sftp", &promise.body, Expect::Version(promise.version), None);
        self.block(saved).unwrap();
    }

    /// Prints what went wrong in the functions, for whoever looks at a test that failed.
    fn tell(&self) {
        for (name, function) in &self.functions {
            for line in function.told.lines.lock().unwrap().iter() {
                let is_trouble = line.is_string() || matches!(line["level"].as_str(), Some("ERROR" | "WARN"));
                if is_trouble {
                    eprintln!("{name}: {line}");
                }
            }
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
        }
    }
}

/// Of nobody: Transfer Family checks that a peer has the private half, and is played here.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0tPlbyFWYqmxJqeB3MVqVn9j1Y7QKXyY4bGm3FhWAF";

impl Half for Stack {
    fn address(&self) -> &str {
        &self.gateway
    }

    fn first_password(&self) -> Option<String> {
        let kept = || self.block(self.made.archived("initial-admin-password")).unwrap();
        // The function that makes the first user starts with the first request.
        if kept().is_none() {
            self.ask("GET", "/status", "nobody", &Value::Null);
        }
        kept().map(|bytes| String::from_utf8(bytes).unwrap().trim_end().to_owned())
    }

    fn key(&self) -> String {
        self.folder.path().join("key.pub").to_str().unwrap().to_owned()
    }

    fn lets_in(&self, user: &str) -> bool {
        let answer = self.login(user);
        let keys = answer["PublicKeys"].as_array().cloned().unwrap_or_default();
        !answer["Role"].is_null() && keys.iter().any(|key| key.as_str().is_some_and(|key| key.starts_with(KEY)))
    }

    fn upload(&self, user: &str, file: &str) {
        let answer = self.login(user);
        let home: Value = serde_json::from_str(answer["HomeDirectoryDetails"].as_str().unwrap()).unwrap();
        assert_eq!(home[0]["Entry"], "/");
        let prefix = format!("/{}/", self.made.settings.uploads_bucket);
        let home = home[0]["Target"].as_str().unwrap().strip_prefix(&prefix).unwrap();
        let name = Path::new(file).file_name().unwrap().to_str().unwrap();
        self.put(&format!("{home}/{name}"), fs::read(file).unwrap());
    }

    fn shows(&self, user: &str, name: &str) -> bool {
        // The mark goes a moment after the look.
        until("the file without a mark", || {
            (self.block(self.made.uploads()).unwrap() == [format!("{user}/{name}")]).then_some(true)
        })
    }
}

pub(crate) const LOGIN: &str = "arn:aws:lambda:eu-central-1:000000000000:function:played-login";
const HOST_KEY_SECRET: &str = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:host-key-AbCdEf";

type Parts = (Arc<aws::testing::Stack>, BTreeMap<&'static str, Arc<Function>>, SocketAddr);

async fn set_up(plan: &Plan, folder: &Path, transfer: &str) -> Parts {
    let surroundings: BTreeMap<String, String> = env::vars().filter(|(name, _)| name.starts_with("AWS_")).collect();
    assert!(
        surroundings.contains_key("AWS_ENDPOINT_URL"),
        "these stories need stand-ins for AWS: eval \"$(scripts/emulators start)\""
    );
    let clients = aws::Clients::load(true).await;
    let made = Arc::new(aws::testing::Stack::create(clients, true).await.unwrap());
    let values = values(&made.settings);
    let mut functions = BTreeMap::new();
    for (name, needs) in NEEDS {
        let rights = Rights::of(name, &values["POSTKAHN_UPLOADS_BUCKET"], &values["POSTKAHN_ARCHIVE_BUCKET"]);
        let way = Way { rights: Arc::new(rights), faults: plan.faults.clone() };
        let (time, at_a_time) = match name {
            "import" => (plan.import_time, plan.importers),
            "restructure" => (plan.task_time, 1),
            "http" => (Duration::from_secs(30), 4),
            _ => (Duration::from_mins(1), 1),
        };
        let own = needs.iter().map(|need| ((*need).to_owned(), values.get(need).cloned().unwrap_or_default()));
        let of_lambda = [
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("TMPDIR", folder.to_str().unwrap()),
        ];
        let of_lambda = of_lambda.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let services = ["TRANSFER", "SECRETS_MANAGER"];
        let services = services.map(|service| (format!("AWS_ENDPOINT_URL_{service}"), transfer.to_owned()));
        let all = led(&surroundings, &way).await.into_iter().chain(services).chain(own).chain(of_lambda).collect();
        functions.insert(name, Arc::new(Function::new(name, all, time, at_a_time)));
    }
    let queues = made.queues().unwrap().clone();
    for (url, batch, name, manner) in [
        (queues.uploads, 10, "intake", plan.uploads),
        (queues.imports, 1, "import", plan.imports),
        (queues.tasks, 1, "restructure", plan.tasks),
    ] {
        let mapping = Mapping { stack: made.clone(), url, batch, function: functions[name].clone(), manner };
        tokio::spawn(mapping.run());
    }
    let gateway = gateway::listen(functions["http"].clone()).await;
    (made, functions, gateway)
}

/// The surroundings with each emulator reached on this way.
async fn led(surroundings: &BTreeMap<String, String>, way: &Way) -> BTreeMap<String, String> {
    let (mut led, mut known) = (surroundings.clone(), BTreeMap::<String, String>::new());
    for (_, address) in led.iter_mut().filter(|(name, _)| name.starts_with("AWS_ENDPOINT_URL")) {
        if !known.contains_key(address) {
            known.insert(address.clone(), way.clone().before(address.clone()).await);
        }
        address.clone_from(&known[address.as_str()]);
    }
    led
}

/// Every variable that the template sets.
fn values(settings: &aws::Settings) -> BTreeMap<&'static str, String> {
    let (queues, schedules) = (settings.queues.clone().unwrap(), settings.schedules.clone().unwrap());
    let set = |value: &Option<String>| value.clone().unwrap();
    [
        ("POSTKAHN_TABLE", settings.table.clone()),
        ("POSTKAHN_UPLOADS_BUCKET", settings.uploads_bucket.clone()),
        ("POSTKAHN_ARCHIVE_BUCKET", set(&settings.archive_bucket)),
        ("POSTKAHN_UPLOADS_QUEUE", queues.uploads),
        ("POSTKAHN_IMPORTS_QUEUE", queues.imports),
        ("POSTKAHN_TASKS_QUEUE", queues.tasks),
        ("POSTKAHN_DEAD_LETTERS", queues.dead_letters),
        ("POSTKAHN_WRAP_KEY", set(&settings.wrap_key)),
        ("POSTKAHN_AGREEMENT_KEY", set(&settings.agreement_key)),
        ("POSTKAHN_SIGNING_KEY", set(&settings.signing_key)),
        ("POSTKAHN_SCHEDULE_GROUP", schedules.group),
        ("POSTKAHN_SCHEDULE_ROLE", schedules.role),
        ("POSTKAHN_RESTRUCTURE_FUNCTION", schedules.restructure_function),
        ("POSTKAHN_SWEEP_FUNCTION", schedules.sweep_function),
        ("POSTKAHN_DOMAIN", "example.org".into()),
        ("POSTKAHN_DOOR", "on-demand".into()),
        ("POSTKAHN_LOGIN_FUNCTION", LOGIN.into()),
        ("POSTKAHN_DOOR_ROLE", "arn:aws:iam::000000000000:role/door".into()),
        ("POSTKAHN_HOST_KEY_SECRET", HOST_KEY_SECRET.into()),
        ("POSTKAHN_UPLOADER_ROLE", "arn:aws:iam::000000000000:role/uploader".into()),
    ]
    .into()
}
