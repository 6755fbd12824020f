"""Label the iris flowers with Mechanical Turk, the way one writes it after the AWS tutorial.

    python seed_script.py iris.csv output_folder

One HIT per flower, asked of two workers; a flower on which no two workers agree gets one more, up to
five. Every minute each open HIT is looked at with GetHIT and ListAssignmentsForHIT. The labels are
written to iris_training.csv (120 flowers) and iris_test.csv (30).
"""

from __future__ import annotations

import collections
import csv
import html
import os
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import boto3

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL_MTURK", "https://mturk-requester-sandbox.us-east-1.amazonaws.com")
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "60"))
SPECIES = ["setosa", "versicolor", "virginica"]
FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
IMAGES = "https://images.example.com/iris/"
SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
ANSWERS = "{" + SCHEMAS + "2005-10-01/QuestionFormAnswers.xsd}"

QUESTION = """<?xml version="1.0" encoding="UTF-8"?>
<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd">
  <HTMLContent><![CDATA[<!DOCTYPE html>
<html>
  <head>
    <meta charset="utf-8">
    <title>Classify images of flowers</title>
    <script src="https://s3.amazonaws.com/mturk-public/externalHIT_v1.js"></script>
  </head>
  <body>
    <form name="mturk_form" method="post" id="mturk_form" action="https://www.mturk.com/mturk/externalSubmit">
      <input type="hidden" name="assignmentId" id="assignmentId" value="">
      <h1>Which species of iris is this?</h1>
      <img src="{image}" alt="An iris flower" data-item="{item}">
      {choices}
      <p><input type="submit" id="submitButton" value="Submit"></p>
    </form>
    <script>turkSetAssignmentID();</script>
  </body>
</html>]]></HTMLContent>
  <FrameHeight>0</FrameHeight>
</HTMLQuestion>"""

CHOICE = '<p><label><input type="radio" name="label" value="{0}" required> {0}</label></p>'


def question_for(flower):
    return QUESTION.format(
        image=html.escape(IMAGES + flower["image"]),
        item=html.escape(flower["id"]),
        choices="\n      ".join(CHOICE.format(species) for species in SPECIES),
    )


def label_in(answer_xml):
    for answer in ElementTree.fromstring(answer_xml).iter(ANSWERS + "Answer"):
        if answer.findtext(ANSWERS + "QuestionIdentifier") == "label":
            return answer.findtext(ANSWERS + "FreeText")
    return None


def create_hits(mturk, flowers):
    hits = {}
    for flower in flowers:
        response = mturk.create_hit(
            Title="Classify images of flowers",
            Description="Provide the species of iris in each image",
            Keywords="classification, image",
            Reward="0.05",
            MaxAssignments=2,
            LifetimeInSeconds=4 * 3600,
            AssignmentDurationInSeconds=5 * 60,
            AutoApprovalDelayInSeconds=3 * 24 * 3600,
            Question=question_for(flower),
            RequesterAnnotation=flower["id"],
        )
        hits[flower["id"]] = response["HIT"]["HITId"]
    return hits


def look_at(mturk, hit_id):
    """Approve what has come in; return the label when two agree, and None when it is not settled."""
    hit = mturk.get_hit(HITId=hit_id)["HIT"]
    response = mturk.list_assignments_for_hit(
        HITId=hit_id, MaxResults=100, AssignmentStatuses=["Submitted", "Approved"]
    )
    votes = collections.Counter()
    for assignment in response["Assignments"]:
        if assignment["AssignmentStatus"] == "Submitted":
            mturk.approve_assignment(AssignmentId=assignment["AssignmentId"])
        votes[label_in(assignment["Answer"])] += 1
    if hit["HITStatus"] != "Reviewable":
        return None
    label, count = votes.most_common(1)[0] if votes else (None, 0)
    if count >= 2 or hit["MaxAssignments"] >= 5:
        return label or "unknown"
    mturk.create_additional_assignments_for_hit(HITId=hit_id, NumberOfAdditionalAssignments=1)
    return None


def write_csv(path, flowers, labels):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*FEATURES, "species"])
        for flower in flowers:
            writer.writerow([*(flower[name] for name in FEATURES), labels[flower["id"]]])


def main():
    with Path(sys.argv[1]).open(newline="") as file:
        flowers = list(csv.DictReader(file))
    output = Path(sys.argv[2])
    mturk = boto3.client("mturk", region_name="us-east-1", endpoint_url=ENDPOINT)
    print("balance", mturk.get_account_balance()["AvailableBalance"])

    waiting = create_hits(mturk, flowers)
    labels = {}
    while waiting:
        time.sleep(POLL_SECONDS)
        for flower_id, hit_id in list(waiting.items()):
            label = look_at(mturk, hit_id)
            if label is not None:
                labels[flower_id] = label
                del waiting[flower_id]
        print(len(labels), "of", len(flowers), "labelled", flush=True)

    write_csv(output / "iris_training.csv", flowers[:120], labels)
    write_csv(output / "iris_test.csv", flowers[120:], labels)


if __name__ == "__main__":
    main()
