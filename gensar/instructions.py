"""The one-sentence instructions of the plain regime, in our own words.

Each is ``(before, after)``: text in front of the user's history (or of the item's text or
identifier), and text behind it. As published there are ten for each task, one is drawn for each
sample, search and pseudo-query search share theirs, and evaluation uses the first.
"""

from __future__ import annotations

__all__ = ["DESCRIBE", "GENERATE_QUERY", "IDENTIFY", "RECOMMEND", "SEARCH"]

Instructions = tuple[tuple[str, str], ...]

RECOMMEND: Instructions = (
    ("what the user did so far:", "which item will be recommended next?"),
    ("given these past actions:", "name the next recommended item."),
    ("the user's record reads", "predict the item to recommend."),
    ("here is a user's behaviour:", "what should be shown to this user next?"),
    ("a user clicked and searched like this:", "choose the following recommendation."),
    ("look at this history:", "give the item that the user takes up next."),
    ("earlier events:", "continue with a recommended item."),
    ("this user has seen", "recommend one more."),
    ("from the actions", "work out the next item for the feed."),
    ("knowing the user by", "propose an item."),
)
SEARCH: Instructions = (
    ("what the user did so far:", "which item answers the last query?"),
    ("given these past actions:", "find the item that the query is after."),
    ("the user's record reads", "return the item searched for."),
    ("here is a user's behaviour:", "what will be clicked in the results of the query?"),
    ("a user clicked and searched like this:", "pick the result for the final query."),
    ("look at this history:", "give the item that the query leads to."),
    ("earlier events and a query:", "continue with the item found."),
    ("this user has seen and now asks for", "answer with an item."),
    ("from the actions and the words", "work out the item wanted."),
    ("knowing the user and the query by", "search for the item."),
)
GENERATE_QUERY: Instructions = (
    ("what the user did so far:", "which query comes next?"),
    ("given these past actions:", "write the next query."),
    ("the user's record reads", "predict the words of the next search."),
    ("here is a user's behaviour:", "what will this user search for?"),
    ("a user clicked and searched like this:", "guess the following query."),
    ("look at this history:", "give the query that is typed next."),
    ("earlier events:", "continue with a query."),
    ("this user has seen", "what will be asked for?"),
    ("from the actions", "work out the next search words."),
    ("knowing the user by", "propose a query."),
)
IDENTIFY: Instructions = (
    ("an item is described as", "give its identifier."),
    ("which identifier belongs to", "?"),
    ("read this text:", "name the item by its codes."),
    ("the item", "has the identifier"),
    ("translate the description", "into item codes."),
    ("text of an item:", "its codes are"),
    ("find the codes of", "."),
    ("identify the item", "."),
    ("for the item called", "write the identifier."),
    ("these words stand for one item:", "which?"),
)
DESCRIBE: Instructions = (
    ("an item has the identifier", "describe it."),
    ("what is the item", "?"),
    ("read these codes:", "write the item's text."),
    ("the identifier", "means the item"),
    ("translate the item codes", "into words."),
    ("codes of an item:", "its text is"),
    ("find the text of", "."),
    ("tell what stands behind", "."),
    ("for the item with codes", "write the description."),
    ("these codes stand for one item:", "which?"),
)
