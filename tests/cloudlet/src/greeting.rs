//! The text that `cloudlet run` prints when it is ready: endpoints, and lines to paste into a shell.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cloudlet::Cloudlet;

/// The variable that is written to the file but not shown on the screen.
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";

/// The endpoints and the administrator's key, as shell variables.
pub(crate) struct Environment(Vec<(&'static str, String)>);

impl Environment {
    pub(crate) fn of(cloud: &Cloudlet) -> std::io::Result<Self> {
        let administrator = cloud.administrator();
        let region = cloud.account().read(|account| account.region().to_owned());
        let root = std::path::absolute(cloud.root_ca_path())?;
        Ok(Self(vec![
            ("MQTT_ENDPOINT", cloud.mqtt_endpoint()),
            ("CREDENTIALS_ENDPOINT", cloud.credentials_endpoint()),
            ("ROOT_CA", root.display().to_string()),
            // For a publisher that needs no certificate.
            ("BROKER_SOCKET", cloud.broker().socket().display().to_string()),
            ("AWS_ENDPOINT_URL", cloud.api_endpoint()),
            ("AWS_ACCESS_KEY_ID", administrator.access_key_id),
            (SECRET, administrator.secret_access_key),
            ("AWS_DEFAULT_REGION", region),
        ]))
    }

    /// Writes a file that shells can source, atomically and once the endpoints listen. Only its owner may read it, because it contains the
    /// administrator's key.
    pub(crate) fn write(&self, folder: &Path) -> std::io::Result<PathBuf> {
        let lines: String = self
            .0
            .iter()
            .map(|(name, value)| format!("export {name}='{value}'\n"))
            .collect();
        let (new, path) = (folder.join("cloudlet.env.new"), folder.join("cloudlet.env"));
        let mut file = std::fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(lines.as_bytes())?;
        std::fs::rename(new, &path)?;
        std::path::absolute(path)
    }

    pub(crate) fn print(&self, file: &Path, kept: bool) -> std::io::Result<()> {
        let mut out = std::io::stdout();
        writeln!(out, "This is AWS IoT Core for this machine. It listens on\n")?;
        for (name, value) in self.0.iter().filter(|(name, _)| *name != SECRET) {
            writeln!(out, "  {name}={value}")?;
        }
        let (host, port) = self.value("MQTT_ENDPOINT").split_once(':').unwrap_or_default();
        writeln!(
            out,
            "\nIn another shell:\n\n  \
             . {file}\n  \
             aws iot list-things\n  \
             mosquitto_pub --cafile \"$ROOT_CA\" --cert deviceCert.crt --key deviceCert.key -h {host} -p {port} \\\n    \
             -q 1 -i THING -t THING/test -m Hello -d\n  \
             curl --cacert \"$ROOT_CA\" --cert deviceCert.crt --key deviceCert.key -H 'x-amzn-iot-thingname: THING' \\\n    \
             \"https://$CREDENTIALS_ENDPOINT/role-aliases/ALIAS/credentials\"\n",
            file = file.display(),
        )?;
        if !kept {
            writeln!(out, "Nothing is kept: --dir DIR keeps it.")?;
        }
        writeln!(out, "What happens from now on (Ctrl-C ends it):\n")?;
        out.flush()
    }

    fn value(&self, name: &str) -> &str {
        let mut named = self.0.iter().filter(|(known, _)| *known == name);
        named.next().map_or("", |(_, value)| value.as_str())
    }
}
