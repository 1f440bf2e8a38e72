"""docker-compose.yml: parses, uses only keys that docker-compose 1.29 knows, and agrees with the server and the images."""

import pathlib
import re
import sys

import yaml

from variables import read_by_server, secrets

SERVICES = {"postgres", "migrate", "api-1", "api-2", "proxy"}
KEYS = {"build", "image", "command", "environment", "secrets", "volumes", "read_only", "tmpfs", "init", "cap_drop", "cap_add",
        "security_opt", "logging", "restart", "stop_grace_period", "ulimits", "depends_on", "healthcheck", "networks", "ports",
        "extra_hosts", "shm_size"}
TOP = {"version", "services", "networks", "volumes", "secrets"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}

try:
    compose = yaml.safe_load(pathlib.Path("docker-compose.yml").read_text())
except yaml.YAMLError as error:
    sys.exit(f"docker-compose.yml: {error}")
services = compose["services"]
complaints = []


def expect(truth, complaint):
    if not truth:
        complaints.append(complaint)


def seconds(text):
    match = re.fullmatch(r"(\d+)s?", str(text))
    return int(match[1]) if match else 0


def default(text):
    """What `${NAME:-default}` stands for where nothing is set."""
    return re.sub(r"\$\{\w+(?::-([^}]*))?\}", lambda match: match[1] or "", str(text))


expect(not {key for key in compose if not key.startswith("x-")} - TOP, f"top-level keys other than {sorted(TOP)}")
expect(set(services) == SERVICES, f"the services are {sorted(services)}")
known = read_by_server()
files = {name + "_FILE": name for name in secrets()}
declared = set(compose.get("secrets", {}))

for name, service in services.items():
    expect(not set(service) - KEYS, f"{name}: unknown keys {sorted(set(service) - KEYS)}")
    expect("logging" in service, f"{name}: logs are not rotated")
    expect(service.get("read_only") is True, f"{name}: its file system can be written")
    expect(service.get("cap_drop") == ["ALL"], f"{name}: keeps capabilities")
    expect("no-new-privileges:true" in service.get("security_opt", []), f"{name}: may gain privileges")
    expect(set(service.get("secrets", [])) <= declared, f"{name}: mounts secrets that are not declared")
    for other, how in service.get("depends_on", {}).items():
        expect(other in services, f"{name}: depends on {other}, which there is not")
        expect(how["condition"] in CONDITIONS, f"{name}: unknown condition {how['condition']}")
        if how["condition"] == "service_healthy":
            expect("healthcheck" in services[other] or other == "proxy", f"{name}: waits for {other}, which has no health check")
    if not str(service.get("image", "")).startswith("playground-api"):
        continue
    for variable, value in service["environment"].items():
        expect(variable in known or variable in files, f"{name}: the server reads no {variable}")
        expect(variable not in files.values(), f"{name}: {variable} is a secret and has to come as {variable}_FILE")
        if variable in files:
            expect(str(value).removeprefix("/run/secrets/") in service["secrets"], f"{name}: {variable} is not mounted")

for name in ("api-1", "api-2"):
    service = services[name]
    environment = service["environment"]
    grace, drain = seconds(service["stop_grace_period"]), seconds(environment["DRAIN_TIMEOUT"])
    # After the streams: 2 s for their last bytes, 5 s for their settlements.
    expect(grace > drain + 7, f"{name}: is killed after {grace} s, but drains for {drain} and then settles")
    expect(int(default(service["ulimits"]["nofile"]["soft"])) >= 20_000, f"{name}: too few descriptors for its streams")
    expect(default(environment["REGISTRATION"]) == "closed", f"{name}: registration is open by default")
    expect("/readyz" in service["healthcheck"]["test"], f"{name}: its health check does not ask /readyz")
    expect("ports" not in service, f"{name}: can be reached around the proxy")
    address = default(services["proxy"]["networks"]["edge"]["ipv4_address"])
    expect(default(environment["TRUSTED_PROXIES"]) == address, f"{name}: TRUSTED_PROXIES is not the proxy")
    own = default(service["networks"]["edge"]["ipv4_address"])
    expect(f"{name}:{own}" in map(default, services["proxy"]["extra_hosts"]), f"proxy: does not know where {name} is")
    expect(f"server {name}:{environment['HTTP_PORT']} " in pathlib.Path("deploy/proxy/nginx.conf").read_text(),
           f"nginx.conf: {name} is no server of it")
expect(services["migrate"]["command"] == ["migrate"], "migrate: does not migrate")
expect(services["migrate"].get("restart") == "no", "migrate: is started again and again")
expect("volumes" in services["postgres"], "postgres: keeps its data in the container")

# What is put on top for several upstreams: it unsets what says something about the one, and mounts what it names.
over = yaml.safe_load(pathlib.Path("deploy/compose.upstreams.yml").read_text())
expect(set(over["services"]) == {"api-1", "api-2"}, "compose.upstreams.yml: is not about the replicas")
expect(not {key for key in over if not key.startswith("x-")} - TOP, f"compose.upstreams.yml: top-level keys other than {sorted(TOP)}")
for name, service in over["services"].items():
    environment = services[name]["environment"] | service["environment"]
    mounted = environment.pop("UPSTREAMS_FILE").removeprefix("/run/secrets/")
    expect(mounted in service["secrets"] and mounted in over["secrets"], f"compose.upstreams.yml: {name} does not mount {mounted}")
    for variable in (
        "UPSTREAM_URL", "UPSTREAM_KIND", "UPSTREAM_API_KEY_FILE", "UPSTREAM_REQUESTS_PER_MINUTE", "UPSTREAM_TOKENS_PER_MINUTE",
    ):
        expect(environment.pop(variable) == "", f"compose.upstreams.yml: {name} has {variable} beside UPSTREAMS_FILE")
    for variable in environment:
        expect(variable in known or variable in files, f"compose.upstreams.yml: the server reads no {variable}")

# What is put on top for a mail server that wants a log-in.
over = yaml.safe_load(pathlib.Path("deploy/compose.mail.yml").read_text())
expect(set(over["services"]) == {"api-1", "api-2"}, "compose.mail.yml: is not about the replicas")
for name, service in over["services"].items():
    expect("smtp-password" in service["secrets"] and "smtp-password" in over["secrets"], f"compose.mail.yml: {name} mounts no password")
    for variable in service["environment"]:
        expect(variable in known or variable in files, f"compose.mail.yml: the server reads no {variable}")

# What is put on top for identity providers mounts what it names.
over = yaml.safe_load(pathlib.Path("deploy/compose.identity.yml").read_text())
expect(set(over["services"]) == {"api-1", "api-2"}, "compose.identity.yml: is not about the replicas")
for name, service in over["services"].items():
    for variable, value in service["environment"].items():
        expect(variable in known, f"compose.identity.yml: the server reads no {variable}")
        mounted = value.removeprefix("/run/secrets/")
        expect(mounted in service["secrets"] and mounted in over["secrets"], f"compose.identity.yml: {name} does not mount {mounted}")

made = set(re.findall(r'\$directory/([a-z-]+)"', pathlib.Path("deploy/create-secrets").read_text()))
expect(declared == made, f"deploy/create-secrets makes {sorted(made)}, mounted are {sorted(declared)}")

dockerfile = pathlib.Path("Dockerfile").read_text()
expect("# syntax=" not in dockerfile, "Dockerfile: a syntax line needs a registry")
expect(re.search(r"^USER [1-9]\d*(:\d+)?$", dockerfile, re.M), "Dockerfile: runs as root")
print("\n".join(complaints) or f"{len(services)} services")
sys.exit(bool(complaints))
