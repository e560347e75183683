#!/usr/bin/env python3
"""The reports for machines, as those who read them want them: SARIF 2.1.0 as GitHub shows it, JUnit XML as Jenkins, GitLab
and GitHub read it.

With ASSAY_SARIF_SCHEMA, the path of OASIS's sarif-schema-2.1.0.json, every SARIF report is held against that too, which
needs python3-jsonschema.
"""
import json
import os
import re
import subprocess
import sys
import urllib.parse
import xml.etree.ElementTree as tree

ASSAY = os.environ["ASSAY"]
HELD, BROKEN, NOT_JUDGED = 0, 1, 2


class Wrong(Exception):
    pass


def demand(condition, what):
    if not condition:
        raise Wrong(what)


def assay(status, *arguments):
    run = subprocess.run([ASSAY, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    demand(run.returncode == status, f"exit status {run.returncode}: {run.stderr.decode()}")
    return run.stdout.decode()


# ---- SARIF -----------------------------------------------------------------------------------------------------------

# A shape says what a value must be: a dict has exactly these keys (with "?" it may lack one), a list any number of such
# elements, a tuple is one of its values, a text is a regular expression for a text, a type is a type.
TEXT = r"(?s).+"
COUNT = int
RULE = {
    "id": r"[A-Z][A-Z0-9]*",
    "shortDescription": {"text": r"(?s).{1,1024}"},
    "fullDescription": {"text": r"(?s).{1,1024}"},
    "help": {"text": TEXT},
    "defaultConfiguration": {"level": ("error",)},
    "properties": {
        "class": ("correctness", "resources", "returns"),
        "tags": [TEXT],
        "precision": ("very-high", "high", "medium", "low"),
        "problem.severity": ("error", "warning", "recommendation"),
        "source": TEXT,
    },
}
RESULT = {
    "ruleId": RULE["id"],
    "ruleIndex": COUNT,
    "level": ("error",),
    "message": {"text": TEXT},
    "locations": [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": r"[A-Za-z0-9._~/%-]+|file:///[A-Za-z0-9._~/%-]+"},
                "region": {"startLine": COUNT, "startColumn": COUNT, "endLine": COUNT, "endColumn": COUNT},
            }
        }
    ],
    "partialFingerprints": {"program/v1": r"[A-Z0-9]+-[0-9a-f]{16}", "primaryLocationLineHash": r"[0-9a-f]{16}:1"},
}
LOG = {
    "$schema": r"https://json\.schemastore\.org/sarif-2\.1\.0\.json",
    "version": ("2.1.0",),
    "runs": [
        {
            "tool": {"driver": {"name": ("assay",), "semanticVersion": r"\d+\.\d+\.\d+", "rules": [RULE]}},
            "results": [RESULT],
            "automationDetails": {"id": r".+/"},
            "invocations": [
                {
                    "executionSuccessful": bool,
                    "exitCode": (HELD, BROKEN, NOT_JUDGED),
                    "toolExecutionNotifications?": [{"level": ("error",), "message": {"text": TEXT}}],
                }
            ],
            "properties": dict,
        }
    ],
}


def hold(value, shape, where="log"):
    if isinstance(shape, dict):
        keys = {key.rstrip("?") for key in shape}
        demand(isinstance(value, dict), f"{where} is no object")
        demand(set(value) <= keys, f"{where} has {set(value) - keys}")
        for key, inner in shape.items():
            if key.rstrip("?") in value or not key.endswith("?"):
                demand(key.rstrip("?") in value, f"{where} lacks {key}")
                hold(value[key.rstrip("?")], inner, f"{where}.{key}")
    elif isinstance(shape, list):
        demand(isinstance(value, list), f"{where} is no array")
        for i, element in enumerate(value):
            hold(element, shape[0], f"{where}[{i}]")
    elif isinstance(shape, tuple):
        demand(value in shape, f"{where} is {value!r}")
    elif isinstance(shape, str):
        demand(isinstance(value, str) and re.fullmatch(shape, value), f"{where} is {value!r}")
    else:
        demand(type(value) is shape, f"{where} is {value!r}")


def hold_schema(log):
    path = os.environ.get("ASSAY_SARIF_SCHEMA")
    if path:
        import jsonschema

        with open(path, encoding="utf-8") as file:
            jsonschema.validate(log, json.load(file))


def sarif(status, *arguments):
    """The only run of a report that is as it must be; each location is a line of a file that is there."""
    log = json.loads(assay(status, *arguments, "--format", "sarif"))
    hold(log, LOG)
    hold_schema(log)
    demand(len(log["runs"]) == 1, "more than one run")
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    demand(len({rule["id"] for rule in rules}) == len(rules) > 50, "rules are not one of each")
    invocation = run["invocations"][0]
    demand(invocation["exitCode"] == status, f"exitCode is {invocation['exitCode']}")
    demand(invocation["executionSuccessful"] == (status != NOT_JUDGED), "executionSuccessful")
    demand((status == BROKEN) == bool(run["results"]), "results that do not go with the exit status")
    for result in run["results"]:
        demand(rules[result["ruleIndex"]]["id"] == result["ruleId"], "ruleIndex is another rule's")
        demand(len(result["locations"]) == 1, "a result is in one place")
        hold_place(result)
    return run


def hold_place(result):
    place = result["locations"][0]["physicalLocation"]
    region = place["region"]
    path = urllib.parse.unquote(place["artifactLocation"]["uri"].removeprefix("file://"))
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    line = lines[region["startLine"] - 1]
    demand(region["endLine"] == region["startLine"], "more than a line")
    demand((region["startColumn"], region["endColumn"]) == (1, len(line) + 1), f"columns of {line!r}")
    told = re.search(r"At `([^`]*)`", result["message"]["text"])
    if told:
        demand(line.split("#")[0].strip() == told[1], f"{line!r} is not {told[1]!r}")


def check_sarif():
    run = sarif(BROKEN, "check", "broken/frames_leak")
    demand(run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith("assay-out/"),
           "the finding's file is not given relative to where the program ran")
    again = sarif(BROKEN, "check", "broken/frames_leak", "--out", os.path.join(os.getcwd(), "a place"))
    uri = again["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    demand(uri.startswith("a%20place/"), f"an absolute --out below here gives {uri}")
    demand([r["partialFingerprints"] for r in run["results"]] == [r["partialFingerprints"] for r in again["results"]],
           "fingerprints change from run to run")
    outside = sarif(BROKEN, "check", "broken/frames_leak", "--out", os.path.join(os.getcwd(), "..", "elsewhere"))
    demand(outside["results"], "no result")
    held = sarif(HELD, "check", "freelist", "--programs", "50")
    demand(held["automationDetails"] != run["automationDetails"], "two allocators have one category")
    error = sarif(NOT_JUDGED, "replay", "freelist", "there-is-no-such.ops")
    demand(error["invocations"][0]["toolExecutionNotifications"], "an error without its words")


# ---- JUnit -----------------------------------------------------------------------------------------------------------

# Elements, the attributes that they must have, and what they may hold, as in the schema of Jenkins' xUnit plugin.
ELEMENTS = {
    "testsuites": (set(), {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped"}, {"testcase"}),
    "testcase": ({"name", "classname"}, {"failure", "error", "skipped"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": ({"message"}, set()),
}


def hold_element(element):
    attributes, children = ELEMENTS[element.tag]
    demand(set(element.keys()) == attributes, f"<{element.tag}> has {element.keys()}")
    demand({child.tag for child in element} <= children, f"<{element.tag}> holds {[c.tag for c in element]}")
    for child in element:
        hold_element(child)


def junit(status, *arguments):
    root = tree.fromstring(assay(status, *arguments, "--format", "junit"))
    demand(root.tag == "testsuites" and len(root) == 1, "not one suite")
    hold_element(root)
    suite = root[0]
    cases = suite.findall("testcase")
    names = [(case.get("classname"), case.get("name")) for case in cases]
    demand(len(set(names)) == len(names), "two cases of one name: GitLab drops the second")
    demand(all(len(case) <= 1 for case in cases), "a case with two outcomes: Jenkins shows one")
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        demand(int(suite.get(count)) == len(suite.findall(f"testcase/{tag}")), f"wrong count of {count}")
    demand(int(suite.get("tests")) == len(cases) > 0, "wrong count of tests")
    demand((int(suite.get("failures")) > 0) == (status == BROKEN), "failures do not go with the exit status")
    demand((int(suite.get("errors")) > 0) == (status == NOT_JUDGED), "errors do not go with the exit status")
    return suite


def check_junit():
    suite = junit(BROKEN, "check", "broken/frames_leak")
    failure = suite.find("testcase/failure")
    demand(failure.get("type") == "A30" and failure.text.rstrip().split("\n")[-1].startswith("assay replay "),
           "a failure ends with the command that replays it")
    demand(suite.find("testcase/skipped") is not None, "what is not offered is no skipped case")
    junit(HELD, "check", "freelist", "--programs", "50")
    junit(NOT_JUDGED, "replay", "freelist", "there-is-no-such.ops")
    junit(BROKEN, "check", "broken/frames_leak", "--all", "--programs", "300")


failed = 0
for check in (check_sarif, check_junit):
    try:
        check()
        print(f"ok    {check.__name__}")
    except (Wrong, OSError, ValueError, KeyError, IndexError, tree.ParseError) as wrong:
        failed += 1
        print(f"FAIL  {check.__name__}: {type(wrong).__name__}: {wrong}")
sys.exit(failed > 0)
