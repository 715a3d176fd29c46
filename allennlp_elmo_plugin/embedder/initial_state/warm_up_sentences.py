"""
The default warm-up text: a few sentences of everyday English prose.
"""

from typing import Tuple

__all__ = ["WARM_UP_SENTENCES", "WARM_UP_WORDS"]

WARM_UP_SENTENCES: Tuple[str, ...] = (
    "The ferry left an hour late because of the fog , and nobody on board seemed to mind .",
    "She put the letter back into its envelope without a word and looked out at the garden .",
    "Prices for bread and milk have risen by 4 percent since March , the ministry said on Friday .",
    "Do you know whether the library is open on Sundays ?",
    "He had been a baker for thirty years , and his father before him .",
    '" I will not go , " she said , " unless you come with me . "',
    "The two rivers meet below the old mill , where the road turns north towards the hills .",
    "In this paper we ask how birds find their way at night when there is no moon .",
    "Please send us your answer by the end of the month ; later ones cannot be counted .",
    "Although the team lost its first three games , it finished the season in second place .",
    "It was cold in the hall , and the clock above the door had stopped at ten past nine .",
    "Thanks for the photos , they made my day !",
    "The law allows a city to close a street to cars , but few mayors have ever tried it .",
    "When the rain was over the children ran down to the harbour to look at the boats .",
    "There are , as far as anyone can tell , only two copies of the map left .",
    "We stayed at a small hotel near the station ; the rooms were clean and the staff were kind .",
)

WARM_UP_WORDS: Tuple[str, ...] = tuple(
    sorted({word for text in WARM_UP_SENTENCES for word in text.split() if word.isalnum()})
)
