"""Signs tokens with PyJWT's algorithms over exactly the bytes it is given.

argument: a JSON array of {"name", "header", "payload"[, "algorithm", "key"]}: header and payload are the JSON texts to sign, byte for
byte (payload may be {"base64": ...}); `algorithm` is the one really used, where the header names another; `key` is rsa, small, p256,
p384, ed25519 or oct:TEXT.
prints: {"keys": {name: public JWK}, "tokens": {name: token}}
"""

import base64
import json
import sys

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

KEYS = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "other": rsa.generate_private_key(65537, 2048),
    "small": rsa.generate_private_key(65537, 1024),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}
ALGORITHMS = jwt.algorithms.get_default_algorithms()
USUAL = {"rsa": "RS256", "other": "RS256", "small": "RS256", "p256": "ES256", "p384": "ES384", "ed25519": "EdDSA"}


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(case):
    payload = case["payload"]
    payload = base64.b64decode(payload["base64"]) if isinstance(payload, dict) else payload.encode()
    message = encoded(case["header"].encode()) + b"." + encoded(payload)
    name = case.get("key", "rsa")
    if name.startswith("oct:"):
        algorithm, key = "HS256", name[4:].encode()
    else:
        algorithm, key = case.get("algorithm", USUAL[name]), KEYS[name]
    return (message + b"." + encoded(ALGORITHMS[algorithm].sign(message, key))).decode()


public = {
    name: json.loads(ALGORITHMS[USUAL[name]].to_jwk(key.public_key())) for name, key in KEYS.items()
}
print(json.dumps({"keys": public, "tokens": {case["name"]: sign(case) for case in json.loads(sys.argv[1])}}))
