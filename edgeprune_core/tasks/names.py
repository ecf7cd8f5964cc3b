"""First names, each clearly a man's or a woman's in English, and one token in GPT-2's vocabulary after a space."""

MEN = (
    "Adam", "Andrew", "Anthony", "Brian", "Carl", "Charles", "Daniel", "David", "Edward", "Eric", "Frank", "Gary",
    "George", "Henry", "Jack", "James", "Jason", "John", "Joseph", "Kevin", "Mark", "Martin", "Matthew", "Michael",
    "Patrick", "Paul", "Peter", "Richard", "Robert", "Ryan", "Scott", "Simon", "Stephen", "Steven", "Thomas",
    "William",
)  # fmt: skip

WOMEN = (
    "Alice", "Amanda", "Amy", "Andrea", "Angela", "Anna", "Barbara", "Carol", "Christine", "Claire", "Diana",
    "Elizabeth", "Emily", "Emma", "Helen", "Jane", "Jennifer", "Jessica", "Julia", "Karen", "Kate", "Laura",
    "Linda", "Lisa", "Lucy", "Maria", "Mary", "Michelle", "Nancy", "Nicole", "Rachel", "Rebecca", "Sarah", "Sophie",
    "Susan", "Victoria",
)  # fmt: skip
