# Completion of copal's command line for fish. Commands and options are asked of the tool, so that they are those it has.

function __copal_commands --argument-names tool
    $tool help 2>/dev/null | string replace --filter --regex '^  ([a-z]+) +([A-Z].*)$' '$1\t$2'
end

function __copal_complete
    set --local words (commandline --tokenize --cut-at-cursor --current-process)
    if test (count $words) -eq 1
        __copal_commands $words[1]
        printf '%s\n' --help\t'Print the commands' --version\t'Print the version'
        return
    else if test $words[2] = help
        __copal_commands $words[1]
        return
    end
    set --local options ($words[1] help $words[2] 2>/dev/null |
        string replace --filter --regex '^  (?:-(.),|   ) (--[a-z-]+)(?: ([A-Z]+))?(?: +(.*))?$' '$1\t$2\t$3\t$4')
    for option in $options
        set --local parts (string split \t -- $option)
        if test -n "$parts[3]"; and contains -- $words[-1] $parts[2] -$parts[1]
            switch $parts[3]
                case FILE
                    __fish_complete_path (commandline --current-token)
                case DIR
                    __fish_complete_directories (commandline --current-token)
                case FORMAT
                    string split ' ' 'text json cbor link-format octet-stream xml senml+json senml+cbor merge-patch+json json-patch+json'
                case CLASSES
                    printf '%s\n' 2xx 4xx 5xx all
            end
            return
        end
    end
    for option in $options
        set --local parts (string split \t -- $option)
        printf '%s\n' $parts[2]\t$parts[4]
    end
end

complete --command copal --no-files --arguments '(__copal_complete)'
