"""Compares the expectations in a table with what botocore does: judge_aws_files.py CASES FOLDER"""
import json
import os
import sys

import botocore.credentials
import botocore.exceptions
import botocore.session

METHODS = {
    "env": "environment",
    "shared-credentials-file": "keys",
    "config-file": "keys",
    "custom-process": "process",
    "container-role": "container",
    "assume-role": "role",
    "assume-role-with-web-identity": "web identity",
    "sso": "sso",
    "login": "login",
}
KEYS = {"access_key": "A", "secret_key": "s", "token": "t", "expiry_time": "2100-01-01T00:00:00Z", "account_id": None}


def run_nothing(_, process):
    if not botocore.credentials.compat_shell_split(process):
        raise IndexError
    return dict(KEYS)


def log_in(provider):
    if "login_session" in provider._load_config().get("profiles", {}).get(provider._profile_name, {}):
        return botocore.credentials.Credentials("A", "s", method="login")
    return None


# Neither programs are run nor services asked, and nobody has logged in.
botocore.credentials.ProcessProvider._retrieve_credentials_using = run_nothing
botocore.credentials.ContainerProvider._create_fetcher = lambda *_: lambda: dict(KEYS)
botocore.credentials.LoginProvider.load = log_in


def judge(named):
    session = botocore.session.Session(profile=named)
    try:
        # Every client reads the settings of the profile first.
        session.get_scoped_config()
        credentials = session.get_credentials()
    except botocore.exceptions.ConfigParseError:
        return "unparsable"
    except botocore.exceptions.ProfileNotFound:
        return "no profile"
    except botocore.exceptions.PartialCredentialsError:
        return "incomplete"
    except botocore.exceptions.InfiniteLoopConfigError:
        return "loop"
    except (botocore.exceptions.InvalidConfigError, botocore.exceptions.CredentialRetrievalError):
        return "invalid"
    except ValueError:
        return "quoting"
    except IndexError:
        return "empty process"
    return METHODS[credentials.method] if credentials else "nothing"


def main(cases, folder):
    wrong = 0
    for case in json.load(open(cases)):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        for kind, variable in (("config", "AWS_CONFIG_FILE"), ("credentials", "AWS_SHARED_CREDENTIALS_FILE")):
            path = os.path.join(folder, kind)
            os.environ[variable] = path
            if os.path.exists(path):
                os.unlink(path)
            if kind in case:
                with open(path, "w", newline="") as file:
                    file.write(case[kind])
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
        os.environ.update(case.get("environment", {}))
        found = judge(case.get("named"))
        if found != case["outcome"]:
            wrong += 1
            print(f"{case['name']}: botocore says {found}, and the table {case['outcome']}")
    sys.exit(wrong != 0)


main(*sys.argv[1:])
