#compdef copal
# Completion of copal's command line for zsh. Commands and options are asked of the tool, so that they are those it has.

local line action
local -a found options

if (( CURRENT == 2 )) || [[ $words[2] == help ]]; then
    for line in ${(f)"$(_call_program commands $words[1] help)"}; do
        [[ $line =~ '^  ([a-z]+) +([A-Z].*)$' ]] && found+=("$match[1]:$match[2]")
    done
    (( CURRENT == 2 )) && found+=('--help:Print the commands' '--version:Print the version')
    _describe command found
    return
fi

for line in ${(f)"$(_call_program options $words[1] help $words[2])"}; do
    [[ $line =~ '^  (-(.),|   ) (--[a-z-]+)( ([A-Z]+))?( +(.*))?$' ]] || continue
    case $match[5] in
        FILE) action=':file:_files' ;;
        DIR) action=':directory:_files -/' ;;
        FORMAT)
            action=':format:(text json cbor link-format octet-stream xml senml+json senml+cbor merge-patch+json json-patch+json)'
            ;;
        CLASSES) action=':classes:(2xx 4xx 5xx all)' ;;
        ?*) action=":$match[5]: " ;;
        *) action= ;;
    esac
    # An option with a value takes it behind "=" or as the next word, with a letter also at once.
    line="[${${match[7]//\[/\\[}//\]/\\]}]$action"
    options+=("$match[3]${action:+=}$line")
    [[ -n $match[2] ]] && options+=("-$match[2]${action:++}$line")
done
(( CURRENT-- ))
shift words
_arguments -s -S $options '*:operand: '
