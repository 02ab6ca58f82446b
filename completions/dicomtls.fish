function _dicomtls_completion
    set --local line (commandline -cp)
    set --local answers (env _DICOMTLS_COMPLETE=complete_fish _DICOMTLS_COMPLETE_LINE="$line" dicomtls 2>/dev/null)
    if test (count $answers) -gt 0
        printf '%s\n' $answers
    else
        __fish_complete_path (commandline -ct)
    end
end

complete --command dicomtls --no-files --arguments '(_dicomtls_completion)'
