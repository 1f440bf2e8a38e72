"""oidc-provider-mock as a process of its own, with what it lacks: PKCE that is checked, form_post, and the oddities of real providers.

arguments: --form-post answers as a form that the browser posts; --audience NAME (several times) puts further audiences into ID tokens;
--secret-key FILE takes only client secrets that are tokens signed with this public key (PEM); --port NUMBER; --tls CHAIN KEY serves the
same on another port over TLS, with these files.
prints: TLS on https://127.0.0.1:PORT where it does; listening on http://127.0.0.1:PORT
routes beside those of the mock: POST /test/rotate makes another key, whose tokens and set name no id, as before. GET /test/counts says how
often each path was asked for. GET /test/secrets lists the signed client secrets that came. POST /test/outage makes everything else a 503, or
ends that.
"""

import argparse
import collections
import html
import os
import threading
import urllib.parse

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import flask
import jwt
import oidc_provider_mock
import werkzeug.serving
from authlib import jose
from authlib.oauth2.rfc7636 import CodeChallenge
from oidc_provider_mock import _app

parser = argparse.ArgumentParser()
parser.add_argument("--form-post", action="store_true")
parser.add_argument("--audience", action="append", default=[])
parser.add_argument("--secret-key")
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--tls", nargs=2)
options = parser.parse_args()
public_key = open(options.secret_key).read() if options.secret_key else None

challenges = {}
secrets = []
counts = collections.Counter()
state = {"outage": False}


class Challenge(CodeChallenge):
    def get_authorization_code_challenge(self, authorization_code):
        return challenges.get(authorization_code.code, (None, None))[0]

    def get_authorization_code_challenge_method(self, authorization_code):
        return challenges.get(authorization_code.code, (None, None))[1]


class Code(_app.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["none", "client_secret_basic", "client_secret_post"]

    def save_authorization_code(self, code, request):
        super().save_authorization_code(code, request)
        challenges[code] = (flask.request.values.get("code_challenge"), flask.request.values.get("code_challenge_method"))


class Tokens(_app.OpenIDCode):
    def get_audiences(self, request):
        own = [request.client.get_client_id()]
        return own + options.audience if options.audience else own[0]


register = _app.flask_oauth2.AuthorizationServer.register_grant


def register_grant(server, grant, extensions=None):
    if grant is _app.AuthorizationCodeGrant:
        age = extensions[0]._token_max_mage
        grant, extensions = Code, [Tokens(require_nonce=True, token_max_age=age), Challenge(required=True)]
    return register(server, grant, extensions)


_app.flask_oauth2.AuthorizationServer.register_grant = register_grant
app = oidc_provider_mock.app(require_nonce=True)
app.debug = False


@app.before_request
def watch():
    counts[flask.request.path] += 1
    if flask.request.path.startswith("/test/"):
        return None
    if state["outage"]:
        return "out of order", 503
    if flask.request.path == "/oauth2/token" and public_key:
        secret = flask.request.form.get("client_secret", "")
        issuer = flask.request.host_url.rstrip("/")
        try:
            jwt.decode(secret, public_key, algorithms=["ES256"], audience=issuer, options={"require": ["exp", "iat", "sub", "iss"]})
        except jwt.PyJWTError as error:
            return {"error": "invalid_client", "error_description": str(error)}, 401
        secrets.append({"header": jwt.get_unverified_header(secret), **jwt.decode(secret, options={"verify_signature": False})})
    return None


@app.after_request
def as_form(response):
    if not options.form_post or flask.request.path != "/oauth2/authorize" or response.status_code != 302:
        return response
    assert flask.request.args.get("response_mode") == "form_post"
    address, _, query = response.headers["Location"].partition("?")
    fields = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in urllib.parse.parse_qsl(query))
    return flask.Response(f'<form method="post" action="{html.escape(address)}">{fields}</form>', mimetype="text/html")


@app.post("/test/rotate")
def rotate():
    flask.g.oidc_provider_mock_storage.jwk = jose.RSAKey.generate_key(is_private=True)
    return "", 204


@app.post("/test/outage")
def outage():
    state["outage"] = not state["outage"]
    return "", 204


@app.get("/test/counts")
def count():
    return dict(counts)


@app.get("/test/secrets")
def list_secrets():
    return secrets


if options.tls:
    secure = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True, ssl_context=tuple(options.tls))
    threading.Thread(target=secure.serve_forever, daemon=True).start()
    print(f"TLS on https://127.0.0.1:{secure.server_port}", flush=True)
server = werkzeug.serving.make_server("127.0.0.1", options.port, app, threaded=True)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
