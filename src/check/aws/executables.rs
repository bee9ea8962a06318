//! Programs that the user of this thread can execute.

use std::path::Path;

use gatepost_client::aws_files::Environment;

/// The search path of services (systemd.exec(5)) without the folders for root.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Returns whether this user can execute a program, which is looked for as execvp(3) does.
pub fn is_program(program: &str, environment: &Environment) -> bool {
    match program.contains('/') {
        true => program.starts_with('/') && is_executable(Path::new(program)),
        false => {
            let path = environment.non_empty("PATH").unwrap_or(DEFAULT_PATH);
            let mut folders = path.split(':').filter(|folder| folder.starts_with('/'));
            folders.any(|folder| is_executable(&Path::new(folder).join(program)))
        }
    }
}

/// Returns whether this user can execute the file at `path`.
pub fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}
