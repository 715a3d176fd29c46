"""
Counts of the words of a text, by which the most frequent ones are chosen.
"""

from typing import Counter, List

__all__ = ["WordCounts"]


class WordCounts(Counter[str]):
    """
    A counter of words that knows which of them comes first in the text.

    `update` takes the tokens of the next sentence, or the counts of the next part of the text.
    These may be any mapping in which the words stand in the order of their first occurrence, as in
    the `WordCounts` of that part. So the counts of parts add up to those of the text.
    """

    def most_frequent(self, num_types: int) -> List[str]:
        """
        Chooses the most frequent words.

        Of equally frequent words, the one that comes first in the text is chosen. Words with white
        space are left out, since word2vec's formats cannot hold them.

        # Parameters

        num_types : `int`
            The largest number of words.

        # Returns

        `List[str]`
            The words, the most frequent one first.
        """
        words = [word for word, _ in self.most_common() if word.split() == [word]]
        return words[:num_types]
