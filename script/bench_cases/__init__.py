"""bench_cases - what script/bench measures, side by side with a peer in the same run.

FILES        __main__ the command; figures a measured case, and tables of them; peer the programs of
             Postfix; house a Waypost started for the purpose; sample what is measured with; rows
             what needs Django, as a program of its own; a file for each NAME: tables, mail
             of mail: setting what both servers are told, waypost and postfix the servers, load what
             is sent and the next hop, meter a server's processor time and memory
RULES        nothing here decides whether a test run passes: figures move with the machine, ratios
             of the same run less. Everything is made below one temporary folder and removed
"""
