from auralign.cli import main

main()
